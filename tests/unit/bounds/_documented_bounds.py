"""The bound of one centralization as `gc_ref.bounds` documents it, in rational numbers.

One slice at a time, from the text of that page: for the tests that hold the code to it.
"""

from fractions import Fraction

from gc_ref.bounds import Profile

F = Fraction


def growth(count, unit):
    """G(k, u) = (1 + u)ᵏ − 1."""
    return (1 + F(unit)) ** count - 1


def average(values):
    return sum(values, F(0)) / len(values)


def working(size, deviation, p):
    """Error of one evaluation in the accumulator: by a mean, and element by element by Eq. 2."""
    n, a = len(size), p.accumulator
    tiny = (2 * n + 10) * F(p.accumulator_underflow)
    a_mean = average(size)
    by_mean = growth(3 * n + 4, a) * a_mean
    shifted = growth(n + 4, a) * (average(deviation) + 2 * max(deviation)) + growth(2, a) * a_mean
    return max(by_mean, shifted) + tiny, [growth(n + 6, a) * (s + a_mean) + tiny for s in size]


def rounding_of(size, mean, deviation, p):
    """The largest error of any way, once or twice, of a slice with these magnitudes."""
    n, u, eta = len(size), F(p.unit_roundoff), F(p.underflow)
    is_power_of_two = n in {2**k for k in range(n)}
    roundings = 1 if is_power_of_two else 3

    def stored_mean(magnitude):
        return growth(roundings, u) * magnitude + roundings * eta

    def stored_result(magnitude):
        return (u + F(p.accumulator)) * magnitude + 3 * eta

    by_mean, by_matrix = working(size, deviation, p)
    ways = []
    for shared, own in ((by_mean, [F(0)] * n), (F(0), by_matrix)):
        f, common = [], []  # the errors of single elements, and that of their mean
        for i in range(n):
            common.append(shared + stored_mean(mean[i] + shared + own[i]))
            f.append(own[i] + stored_result(deviation[i] + shared + own[i] + common[i]))
        mean_f = average(f)
        again = working(
            [d + c + e for d, c, e in zip(deviation, common, f, strict=True)],
            [d + e + mean_f for d, e in zip(deviation, f, strict=True)],
            p,
        )
        for i in range(n):
            second = max(again[0], again[1][i])
            twice = f[i] + mean_f + second + stored_mean(common[i] + mean_f + second)
            twice += stored_result(deviation[i] + twice)
            ways.append((i, common[i] + f[i]))
            ways.append((i, twice))
    return [max(error for j, error in ways if j == i) for i in range(n)]


def tau(slice_, p, radii=None):
    """τ of one slice, whose elements are known up to their radii."""
    g = [F(x) for x in slice_]
    r = [F(0)] * len(g) if radii is None else [F(x) for x in radii]
    m = average(g)
    # The magnitudes are computed in float64, and are off by its own roundings.
    sums = growth(len(g) + 4, 2.0**-53) * average([abs(x) for x in g]) + F(2.0**-1074)
    off = [sums + abs(x - m) / 2**53 for x in g]
    known = average(r)
    return rounding_of(
        [abs(x) + y for x, y in zip(g, r, strict=True)],
        [abs(m) + e + known for e in off],
        [abs(x - m) + e + y + known for x, e, y in zip(g, off, r, strict=True)],
        p,
    )


def made(**changes):
    """A profile of no real format: each kind of error at a scale of its own."""
    fields = {
        "name": "made",
        "dtype": "float16",
        "unit_roundoff": 2.0**-7,
        "accumulator": 2.0**-9,
        "hyperparameters": 2.0**-5,
        "underflow": 2.0**-11,
        "accumulator_underflow": 2.0**-12,
        "largest": 2.0**60,
        "accumulator_largest": 2.0**80,
    }
    return Profile(**fields | changes)
