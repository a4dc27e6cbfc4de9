"""The cases that ports are given: the zero-tolerance class, hard regimes, poisoned slices."""

from fractions import Fraction

import numpy as np
import pytest

from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.ports.storage import representable
from gc_ref._layouts import KINDS, VECTOR_KINDS
from gc_ref.conformance import Case, Parameter, output_axes

LAYOUTS = ("output-first", "output-last")
RULES = ("by-rank", "by-kind")
PRECISION = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}


def integer_case(layout="output-last", **options):
    return cases.integer_case(layout, **{"seed": 0, "algorithm": None, **options})


def rows(array, axes):
    """One list of numbers per output neuron, found index by index."""
    found = {}
    for index in np.ndindex(array.shape):
        found.setdefault(tuple(index[i] for i in axes), []).append(float(array[index]))
    return list(found.values())


def weights_of(case, layout, rules=RULES):
    """Each weight with its output axes under each rule."""
    for p in case.parameters:
        for rule in rules:
            axes = output_axes(p.kind, len(p.shape), layout=layout, axes_rule=rule)
            if axes is not None:
                yield p, axes


def is_power_of_two(n):
    return n > 0 and n & (n - 1) == 0


@pytest.mark.parametrize(
    ("dtype", "steps", "rules"),
    [
        ("float64", 3, RULES),
        ("float32", 3, RULES),
        ("float16", 1, RULES),  # half types are driven for one step
        ("bfloat16", 1, ("by-rank",)),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_sums_of_integer_gradients_are_exact_in_every_order(layout, seed, dtype, steps, rules):
    case = integer_case(layout, seed=seed, dtype=dtype, steps=steps)
    assert len(case.gradients) == steps
    assert case.parameters
    for p, axes in weights_of(case, layout, rules):
        for gradients in case.gradients:
            g = gradients[p.name].astype(np.float64)
            assert np.all(g == np.rint(g))
            for row in rows(g, axes):
                assert is_power_of_two(len(row))
                assert len(row) * max(map(abs, row)) <= 2 ** (PRECISION[dtype] - 1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_half_types_keep_weights_of_several_fan_ins(layout, dtype):
    case = integer_case(layout, dtype=dtype, steps=1)
    fan_ins = {len(rows(p.value, axes)[0]) for p, axes in weights_of(case, layout, ("by-rank",))}
    assert len(fan_ins - {1}) >= 2
    assert {p.name for p in case.parameters} == set(case.gradients[0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_integer_case_holds_every_kind_and_both_fan_ins_of_one(layout):
    case = integer_case(layout)
    assert {p.kind for p in case.parameters} == {*KINDS, *VECTOR_KINDS}
    assert len({p.name for p in case.parameters}) == len(case.parameters)
    single = {
        p.kind
        for p, axes in weights_of(case, layout, ("by-rank",))
        if len(rows(p.value, axes)[0]) == 1
    }
    assert "dense" in single


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_operator_gets_only_weights_whose_rank_tells_their_outputs(layout):
    case = integer_case(layout, operator=True)
    for p, by_rank in weights_of(case, layout, ("by-rank",)):
        assert by_rank == output_axes(p.kind, len(p.shape), layout=layout, axes_rule="by-kind")
    assert {len(p.shape) for p in case.parameters} == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_means_are_not_zero_and_tell_neurons_apart(layout, dtype):
    case = integer_case(layout, dtype=dtype, steps=1)
    for p, axes in weights_of(case, layout, ("by-rank",)):
        means = [Fraction(sum(map(int, r)), len(r)) for r in rows(case.gradients[0][p.name], axes)]
        assert 0 not in means
        assert len(set(means)) == min(len(means), 12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_residuals_are_those_whose_first_adam_step_is_exact(layout):
    """|ĝ|/(|ĝ| + 1) has a finite binary expansion for 0, 1, 3 and 7 only (up to 7)."""
    case = integer_case(layout)
    for p, axes in weights_of(case, layout, ("by-rank",)):
        for gradients in case.gradients:
            for row in rows(gradients[p.name], axes):
                mean = Fraction(sum(map(int, row)), len(row))
                assert {abs(Fraction(x) - mean) for x in row} <= {0, 1, 3, 7}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_median_does_not_pass_for_a_mean(layout):
    """Four residuals are ±(7, -3, -3, -1), whose median is ±(-2)."""
    case = integer_case(layout)
    fours = 0
    for p, axes in weights_of(case, layout, ("by-rank",)):
        for row in rows(case.gradients[0][p.name], axes):
            if len(row) == 4:
                assert abs(np.median(row) - np.mean(row)) == 2
                fours += 1
    assert fours > 8


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rules_for_the_axes_give_different_results_wherever_they_differ(layout):
    case = integer_case(layout)
    different = 0
    for p in case.parameters:
        by_rank, by_kind = (
            output_axes(p.kind, len(p.shape), layout=layout, axes_rule=r) for r in RULES
        )
        if by_rank != by_kind:
            g = case.gradients[0][p.name].astype(np.float64)
            sums = [
                g - g.mean(axis=tuple(set(range(g.ndim)) - set(axes)), keepdims=True)
                for axes in (by_rank, by_kind)
            ]
            assert not np.array_equal(*sums), p.name
            different += 1
    assert different >= 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_from_the_second_step_on_means_have_more_digits_than_a_half_type_holds(layout):
    case = integer_case(layout)
    for p, axes in weights_of(case, layout, ("by-rank",)):
        if p.layer == "dense_7":  # a fan-in of 1024: its sums must stay decidable
            continue
        for gradients in case.gradients[1:]:
            means = [abs(sum(r) / len(r)) for r in rows(gradients[p.name], axes)]
            assert any(float(np.float16(m)) != m for m in means), p.name


@pytest.mark.parametrize(
    ("algorithm", "keys"),
    [
        ("sgdm", {"lr", "momentum", "weight_decay"}),
        ("adam", {"lr", "beta1", "beta2", "eps", "weight_decay"}),
        (None, {"lr", "momentum", "beta1", "beta2", "eps", "weight_decay"}),
    ],
)
def test_hyperparameters_are_dyadic(algorithm, keys):
    hyper = integer_case(algorithm=algorithm).hyperparameters
    assert set(hyper) == keys
    for value in hyper.values():
        assert is_power_of_two(Fraction(value).denominator)
        assert Fraction(value).denominator <= 8
    assert hyper["weight_decay"] == 0


def test_epsilon_can_be_replaced():
    assert integer_case(algorithm="adam", eps=0.5).hyperparameters["eps"] == 0.5
    assert "eps" not in integer_case(algorithm="sgdm", eps=0.5).hyperparameters


def equal(a, b):
    return (
        [p.name for p in a.parameters] == [p.name for p in b.parameters]
        and all(
            np.array_equal(p.value, q.value)
            for p, q in zip(a.parameters, b.parameters, strict=True)
        )
        and all(
            np.array_equal(g[k], h[k])
            for g, h in zip(a.gradients, b.gradients, strict=True)
            for k in g
        )
    )


@pytest.mark.parametrize("maker", [cases.integer_case, cases.bounded_case, cases.decay_case])
def test_the_seed_alone_makes_the_case(maker):
    def made(seed):
        return maker("output-last", seed=seed, algorithm="sgdm")

    assert equal(made(3), made(3))
    assert not equal(made(3), made(4))


def test_cases_of_one_seed_do_not_repeat_each_other():
    assert not equal(integer_case(label="one"), integer_case(label="two"))


def test_a_bfloat16_number_is_rounded_once():
    """1 + 2⁻⁸ + 2⁻⁴⁰ lies above the tie; by way of float32 it would be rounded to 1."""
    [up, tie] = representable(np.array([1 + 2**-8 + 2**-40, 1 + 2**-8]), "bfloat16")
    assert (up, tie) == (1 + 2**-7, 1.0)


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bounded_gradients_are_numbers_of_their_dtype(layout, dtype):
    case = cases.bounded_case(layout, seed=1, algorithm=None, dtype=dtype, steps=2)
    storage = "float32" if dtype == "bfloat16" else dtype
    for p in case.parameters:
        assert p.value.dtype == storage
        assert not p.value.any()
        for gradients in case.gradients:
            g = gradients[p.name]
            assert g.dtype == storage
            assert g.shape == p.shape
            assert np.all(np.isfinite(g))
            if dtype == "bfloat16":  # the lower half of a bfloat16's 32 bits is empty
                assert not np.any(np.atleast_1d(g).view(np.uint32) & 0xFFFF)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_bounded_case_has_what_integers_cannot_show(layout):
    case = cases.bounded_case(layout, seed=0, algorithm=None)
    lengths, far, cancelling, tiny = set(), False, False, False
    for p, axes in weights_of(case, layout, ("by-rank",)):
        for row in rows(case.gradients[0][p.name], axes):
            lengths.add(len(row))
            mean, spread = abs(np.mean(row)), np.std(row)
            far |= mean > 20 * spread
            cancelling |= np.mean(np.abs(row)) > 50 * mean
            tiny |= np.max(np.abs(row)) < 1e-3
    assert far
    assert cancelling
    assert tiny
    assert max(lengths) <= 64  # where M - 1 in place of M is still visible in a half type
    assert sum(not is_power_of_two(n) for n in lengths) >= 4


def test_part_of_keeps_whole_layers():
    part = cases.part_of(integer_case(), ["dense_1", "norm_0"], "part")
    names = ["dense_1.kernel", "dense_1.bias", "norm_0.scale", "norm_0.bias"]
    assert [p.name for p in part.parameters] == names
    assert [list(g) for g in part.gradients] == [names] * 3
    assert part.id == "part"


def test_the_decay_case_decays_weights_that_are_not_zero():
    case = cases.decay_case("output-last", seed=0, algorithm="sgdm")
    assert case.hyperparameters["weight_decay"] == 0.25
    kernels = [p for p in case.parameters if p.role == "kernel"]
    assert kernels
    for p in kernels:
        assert np.any(p.value.reshape(-1, p.shape[-1]).sum(axis=0) != 0)  # Φ(λw) is not λw


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_poisoned_case_changes_only_what_its_masks_say(layout):
    case = integer_case(layout)
    before = [{k: v.copy() for k, v in g.items()} for g in case.gradients]
    changed, masks, poisoned = cases.poisoned_case(case, layout)
    assert changed.parameters == case.parameters
    assert len(changed.gradients) == 2
    for old, kept in zip(case.gradients, before, strict=True):
        assert all(np.array_equal(old[k], kept[k]) for k in kept)
    for old, new in zip(case.gradients, changed.gradients, strict=False):
        for p in case.parameters:
            different = ~(old[p.name] == new[p.name])
            free = ~masks.get(p.name, np.zeros(p.shape, dtype=bool))
            assert not np.any(different & free)
            assert np.any(different) == (p.name in masks)
            assert np.isnan(new[p.name]).any() == (p.name in poisoned)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_poisoned_slice_is_one_whole_output_neuron(layout):
    first = [[True, True, True], [False, False, False]]
    grads = np.arange(1.0, 7.0, dtype=np.float32).reshape(2, 3)
    if layout == "output-last":
        first, grads = np.transpose(first), grads.T
    weight = Parameter("dense_0", "dense", np.zeros(grads.shape, np.float32), "dense")
    case = Case("one", (weight,), ({weight.name: np.ascontiguousarray(grads)},))
    _, masks, poisoned = cases.poisoned_case(case, layout)
    assert masks[weight.name].tolist() == np.asarray(first).tolist()
    assert poisoned == {weight.name}


def test_nans_and_finite_changes_both_occur():
    _, masks, poisoned = cases.poisoned_case(integer_case(), "output-last")
    assert poisoned
    assert set(masks) - poisoned - {"dense_2.kernel"}
    assert masks["dense_2.kernel"].all()
