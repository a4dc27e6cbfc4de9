"""What the frozen vectors are made from: weights, gradients, hyperparameters, suite by suite."""

import hashlib
import math
import random
from dataclasses import dataclass, field

import numpy as np

from gc_ref._conformance.ports.storage import representable
from gc_ref._conformance.vector_files.make import Inputs
from gc_ref._layouts import weight_shape
from gc_ref._slices import from_rows
from gc_ref.conformance import output_axes

SHORT = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}
SIDE = {"output-first": "first", "output-last": "last"}
DYADIC_SGDM = {"lr": 0.5, "momentum": 0.5, "weight_decay": 0.0}
TYPICAL_SGDM = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0}
DYADIC_ADAM = {"lr": 0.125, "beta1": 0.5, "beta2": 0.75, "eps": 1.0, "weight_decay": 0.0}
TYPICAL_ADAM = {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
EMA = {"momentum": "ema", "first_momentum": "zero", "decay": "none", "placement": "gradient"}
HEAVY = EMA | {"momentum": "heavy-ball"}
OUTSIDE = {"epsilon": "outside", "decay": "none", "placement": "gradient"}
HAT = OUTSIDE | {"epsilon": "hat"}


class Draw:
    """Numbers that depend on the vector's id alone, and on no library's version."""

    def __init__(self, label):
        digest = hashlib.sha256(label.encode()).digest()
        self.bits = random.Random(int.from_bytes(digest)).getrandbits

    def below(self, n):
        return self.bits(32) % n

    def sign(self):
        return 1 - 2 * self.bits(1)

    def unit(self):
        """A number in (-1, 1) of 20 bits."""
        return (2 * self.bits(20) + 1 - 2**20) / 2**20


def integers(d, outputs, n):
    """Residuals ±(7, -3, -3, -1) about distinct odd means: every sum is exact."""
    rows = []
    sign = d.sign()
    for i in range(outputs):
        if n == 1:
            residual = [0]
        elif n == 2:
            size = (1, 3, 7)[d.below(3)]
            residual = [size, -size]
        else:
            quads = [d.sign() for _ in range(n // 4)]
            residual = [s * r for s in quads for r in (7, -3, -3, -1)]
        turn = d.below(n)
        rows.append([sign * (3 + 2 * (i % 12)) + r for r in residual[turn:] + residual[:turn]])
    return rows


def table(element):
    """A regime whose elements are drawn one by one: element(d, output, input)."""
    return lambda d, outputs, n: [[element(d, i, j) for j in range(n)] for i in range(outputs)]


def zero_sum(d, outputs, n):
    """Residuals ±(7, -3, -3, -1) about means that cancel in pairs: the whole sums to 0."""
    signs = [[d.sign() for _ in range(n // 4)] for _ in range(outputs)]
    rows = [[s * r for s in quads for r in (7, -3, -3, -1)] for quads in signs]
    return [[(-1) ** i * (3 + 2 * (i // 2)) + r for r in row] for i, row in enumerate(rows)]


def scales(d, outputs, n):
    """Means of every scale; deviations as large, 64 times smaller, and 64 times larger."""
    first = -25 * (outputs // 6)
    means = [d.sign() * 2.0 ** (first + 25 * (i // 3)) for i in range(outputs)]
    sizes = [(1, 2.0**-6, 2.0**6)[i % 3] * d.sign() / 4 for i in range(outputs)]
    quads = [(7, -3, -3, -1)[j % 4] for j in range(n)]
    return [[m * (1 + s * r) for r in quads] for m, s in zip(means, sizes, strict=True)]


REGIMES = {
    "integers": integers,
    "zero-sum": zero_sum,
    "scales": scales,
    "ordinary": lambda d, outputs, n: [
        [d.unit() + shift for _ in range(n)] for shift in [2 * d.unit() + 1 for _ in range(outputs)]
    ],
    "large-mean": table(lambda d, i, j: 100 + 3 * i + d.unit()),
    "mean-of-9": table(lambda d, i, j: 9 + 3 * i + d.unit()),
    "cancelling": table(lambda d, i, j: (-1) ** j * 1000 + d.unit()),
    "wide-exponents": table(lambda d, i, j: d.sign() * 2.0 ** (d.below(25) - 12) + 3),
    "spike": table(lambda d, i, j: d.unit() / 128 + (50 if j == 1 else 0)),
    "tiny": table(lambda d, i, j: (d.unit() + 2) * 2.0**-17),
    "constant": table(lambda d, i, j: 0.3 + i),
    "zeros": table(lambda d, i, j: 0.0),
    "huge-f32": table(lambda d, i, j: (d.unit() + 1) * 2.0**60),
    "huge-f64": table(lambda d, i, j: (d.unit() + 1) * 2.0**500),
    "subnormal-f16": table(lambda d, i, j: (d.below(900) + 1) * 2.0**-24),
    "subnormal-f32": table(lambda d, i, j: (d.below(2**20) + 1) * 2.0**-149),
    "subnormal-f64": table(lambda d, i, j: (d.below(2**20) + 1) * 2.0**-1074),
}


@dataclass(frozen=True)
class Weight:
    """A weight before its layout is known."""

    kind: str = "dense"
    fan_in: int = 4
    fan_out: int = 3
    window: int = 2
    label: str = ""

    def place(self, layout):
        shape = weight_shape(
            self.kind, layout=layout, fan_in=self.fan_in, fan_out=self.fan_out, window=self.window
        )
        return shape, output_axes(self.kind, len(shape), layout=layout)

    @property
    def name(self):
        return self.label or self.kind


@dataclass(frozen=True)
class Plan:
    """One vector to be made."""

    weight: Weight
    regime: str
    layout: str
    dtype: str = "float32"
    algorithm: str = "operator"
    steps: int = 1
    conventions: dict = field(default_factory=dict)
    hyper: dict = field(default_factory=dict)
    label: str = ""
    flags: tuple = ()
    nan: bool = False

    @property
    def id(self):
        parts = [self.weight.name, self.label or self.regime, SIDE[self.layout], SHORT[self.dtype]]
        home = {"operator": "eq1", "sgdm": "sgdm", "adam": "adam"}[self.algorithm]
        return f"{home}/{'-'.join(parts)}"


def gradient(plan, step):
    """One gradient, of values of the dtype."""
    shape, axes = plan.weight.place(plan.layout)
    d = Draw(f"{plan.id}/{step}")
    draw = REGIMES[plan.regime]
    if axes is None:
        values = np.array([row[0] for row in draw(d, math.prod(shape), 1)]).reshape(shape)
    else:
        outputs = math.prod(shape[i] for i in axes)
        matrix = np.array(draw(d, outputs, math.prod(shape) // outputs), dtype=np.float64)
        if plan.nan:
            matrix[0, -1] = np.nan
        values = from_rows(matrix, shape, axes)
    if not plan.nan:
        return representable(values, plan.dtype)
    return values.astype(plan.dtype)


def inputs(plan, version):
    """Everything that a vector is made from."""
    shape, axes = plan.weight.place(plan.layout)
    grads = [gradient(plan, step) for step in range(plan.steps)]
    weight = None
    if plan.algorithm != "operator":
        d = Draw(f"{plan.id}/weight")
        weight = np.array([d.below(32) / 8 - 1.875 for _ in range(math.prod(shape))])
        weight = representable(weight.reshape(shape), plan.dtype)
    flags, conventions = set(plan.flags), dict(plan.conventions)
    if plan.regime in ("integers", "zero-sum"):
        flags |= {"exact"} if plan.algorithm == "operator" else set()
    elif plan.regime != "ordinary":
        flags.add("hard-regime")
    if axes is None:
        flags |= {"untouched"}
    elif math.prod(shape) == math.prod(shape[i] for i in axes):
        flags.add("fan-in-one")
        conventions["fan_in_one"] = "erase"
    if output_axes(plan.weight.kind, len(shape), layout=plan.layout, axes_rule="by-kind") != axes:
        flags.add("by-rank")
        conventions["axes_rule"] = "by-rank"
    if conventions.get("decay", "none") != "none":
        flags.add("weight-decay")
    return Inputs(
        plan.id, version, says(plan, shape), tuple(flags), plan.algorithm, plan.weight.kind,
        plan.layout, axes, plan.dtype, grads, weight, conventions, plan.hyper,
    )  # fmt: skip


def says(plan, shape):
    regime = plan.regime.split("-f")[0].replace("integers", "integer").replace("zeros", "zero")
    what = {"operator": "Φ(g)", "sgdm": "SGDM with GC", "adam": "Adam with GC"}[plan.algorithm]
    steps = "" if plan.algorithm == "operator" else f", {plan.steps} steps"
    nan = ", a NaN in the first output" if plan.nan else ""
    kind = f"{plan.weight.kind} of shape {tuple(shape)}, {plan.layout}"
    return f"{what}: {kind}, {regime} gradients{nan}{steps}"


def both(*plans):
    """The same in both layouts."""
    for make in plans:
        for layout in SIDE:
            yield make(layout)


def eq_1():
    def plan(weight, regime="integers", dtype="float32", **more):
        return lambda layout: Plan(weight, regime, layout, dtype, **more)

    dense, odd = Weight(), Weight(fan_in=7, fan_out=5)
    conv1d, conv2d = Weight("conv1d", 4, 3), Weight("conv2d", 2, 3)
    window3 = Weight("conv2d", 3, 2, 3, label="conv2d-3x3")
    yield from both(
        *map(plan, (
            dense,
            Weight(fan_in=8, fan_out=8, label="dense-square"),
            Weight(fan_in=16, fan_out=16, label="dense-16x16"),
            Weight(fan_in=8, fan_out=1, label="dense-one-output"),
            Weight(fan_in=1, fan_out=4, label="dense-one-input"),
            Weight(fan_in=64, fan_out=16, label="dense-large"),
            Weight(fan_in=2, fan_out=4, label="dense-two-inputs"),
            conv1d, conv2d,
            Weight("conv1d", 1, 4, 1, label="conv1d-one-input"),
            Weight("conv2d", 4, 4, 1, label="conv2d-1x1"),
            Weight("conv2d", 2, 2, 2, label="conv2d-square"),
            Weight("conv3d", 2, 3),
            Weight("conv3d", 4, 2, 1, label="conv3d-1x1x1"),
            Weight("depthwise", 4, 4),
            Weight("transposed", 4, 2),
            Weight("embedding", 8, 4),
            Weight("bias", 1, 5),
            Weight("scale", 1, 6),
            Weight("scalar"),
        )),
        *(plan(odd, regime) for regime in (
            "ordinary", "large-mean", "cancelling", "wide-exponents", "spike", "tiny", "constant",
            "zeros", "huge-f32", "subnormal-f32",
        )),
        *(plan(window3, regime) for regime in ("ordinary", "large-mean", "cancelling")),
        plan(Weight("conv1d", 3, 4, 3), "ordinary"),
        plan(Weight("conv3d", 3, 2, 2), "large-mean"),
        plan(Weight("bias", 1, 7), "wide-exponents"),
        *(plan(w, "integers", "float64") for w in (dense, conv2d)),
        *(plan(odd, r, "float64") for r in ("large-mean", "cancelling", "huge-f64",
                                           "subnormal-f64")),
        plan(window3, "ordinary", "float64"),
        *(plan(w, "integers", half) for w in (dense, conv1d) for half in ("float16", "bfloat16")),
        *(plan(odd, r, half) for r in ("ordinary", "mean-of-9") for half in
          ("float16", "bfloat16")),
        plan(odd, "subnormal-f16", "float16"),
        *(plan(Weight("scale", 1, 6), "ordinary", half) for half in ("float16", "bfloat16")),
        plan(dense, nan=True, label="nan"),
        plan(conv2d, nan=True, label="nan"),
    )  # fmt: skip


def trajectories(algorithm, paper, other, dyadic, typical):
    """Vectors of Algorithm 1 or 2; `other` is the other common convention."""
    dense, odd = Weight(), Weight(fan_in=7, fan_out=5)
    first, last = SIDE

    def plan(weight, regime, layout, steps, conventions, hyper, label, dtype="float32", flags=()):
        return Plan(
            weight, regime, layout, dtype, algorithm, steps, conventions, hyper, label, flags
        )

    p, o = ("ema", "heavy-ball") if algorithm == "sgdm" else ("outside", "hat")
    for layout in SIDE:
        yield plan(dense, "integers", layout, 3, paper, dyadic, f"integers-{p}")
        yield plan(dense, "integers", layout, 3, other, dyadic, f"integers-{o}")
    yield plan(odd, "ordinary", last, 5, paper, typical, f"ordinary-{p}")
    yield plan(odd, "ordinary", first, 5, other, typical, f"ordinary-{o}")
    yield plan(odd, "large-mean", first, 4, paper, typical, f"large-mean-{p}")
    yield plan(odd, "large-mean", last, 4, other, typical, f"large-mean-{o}")
    yield plan(Weight("conv2d", 2, 3), "ordinary", first, 4, other, typical, f"ordinary-{o}")
    yield plan(Weight("conv2d", 2, 3), "ordinary", last, 4, paper, typical, f"ordinary-{p}")
    yield plan(Weight("conv1d", 3, 4), "ordinary", last, 3, other, typical, f"ordinary-{o}")
    one = Weight(fan_in=4, fan_out=1, label="dense-long")
    yield plan(one, "large-mean", last, 52, paper, typical, f"52-steps-{p}", flags=("long",))
    yield plan(one, "large-mean", first, 52, other, typical, f"52-steps-{o}", flags=("long",))
    for weight in (
        Weight("bias", 1, 5),
        Weight("scalar"),
        Weight(fan_in=1, fan_out=4, label="dense-one-input"),
    ):
        yield plan(weight, "integers", last, 3, paper, typical, f"integers-{p}")
        yield plan(weight, "integers", first, 3, other, typical, f"integers-{o}")
    for dtype in ("float64", "float16", "bfloat16"):
        # A half type hides a small step in the rounding of the weight.
        hyper = typical if dtype == "float64" else dyadic
        yield plan(odd, "ordinary", last, 3, paper, hyper, f"ordinary-{p}", dtype)
        yield plan(odd, "ordinary", first, 3, other, hyper, f"ordinary-{o}", dtype)
    decayed = dyadic | {"weight_decay": 0.25}
    for conventions, label in ((other, o), (paper, p)):
        for decay, placement in (
            ("l2", "gradient"),
            ("l2", "decayed-gradient"),
            ("decoupled", "gradient"),
        ):
            extra = {"decay": decay, "placement": placement}
            name = f"{decay}-{placement}-{label}" if decay == "l2" else f"{decay}-{label}"
            layout = first if decay == "l2" else last
            yield plan(dense, "integers", layout, 3, conventions | extra, decayed, name)
    update = {"placement": "update"}
    yield plan(odd, "ordinary", first, 3, other | update, typical, f"update-{o}")
    yield plan(odd, "ordinary", last, 3, paper | update, typical, f"update-{p}")


def algorithm_1():
    yield from trajectories("sgdm", EMA, HEAVY, DYADIC_SGDM, TYPICAL_SGDM)
    odd = Weight(fan_in=7, fan_out=5)
    for layout in SIDE:
        for conventions, label in (
            (EMA | {"first_momentum": "gradient"}, "first-gradient-ema"),
            (HEAVY | {"momentum": "velocity"}, "velocity"),
        ):
            yield Plan(odd, "ordinary", layout, "float32", "sgdm", 4, conventions, TYPICAL_SGDM,
                       f"ordinary-{label}")  # fmt: skip


def algorithm_2():
    yield from trajectories("adam", OUTSIDE, HAT, DYADIC_ADAM, TYPICAL_ADAM)


def eq_1_of_sizes():
    """Sizes and scales that gates of ports hide from small ordinary weights."""

    def plan(weight, regime="integers"):
        return lambda layout: Plan(weight, regime, layout)

    yield from both(
        plan(Weight(fan_in=2, fan_out=130, label="dense-130-outputs")),
        plan(Weight(fan_in=132, fan_out=1, label="dense-132-inputs")),
        plan(Weight(fan_in=4, fan_out=4), "zero-sum"),
        plan(Weight("conv2d", 2, 4), "zero-sum"),
        plan(Weight(fan_in=4, fan_out=27), "scales"),
        plan(Weight("bias", 1, 40, label="bias-of-40")),
        plan(Weight("scale", 1, 130, label="scale-of-130")),
    )


def rates_apart(algorithm, paper, other, dyadic, typical):
    """Learning rates that are not 1 - momentum, and more steps than a hundred."""
    p, o = ("ema", "heavy-ball") if algorithm == "sgdm" else ("outside", "hat")
    dense, one = Weight(), Weight(fan_in=2, fan_out=1, label="dense-longer")
    for layout, conventions, name in zip(SIDE, (paper, other), (p, o), strict=True):
        for hyper, label in ((dyadic, "dyadic"), (typical, "typical")):
            yield Plan(dense, "integers", layout, "float32", algorithm, 3, conventions, hyper,
                       f"{label}-rate-{name}")  # fmt: skip
        yield Plan(one, "large-mean", layout, "float32", algorithm, 108, conventions, typical,
                   f"108-steps-{name}", ("long",))  # fmt: skip


def algorithm_1_apart():
    dyadic, typical = DYADIC_SGDM | {"lr": 0.25}, TYPICAL_SGDM | {"lr": 0.05}
    yield from rates_apart("sgdm", EMA, HEAVY, dyadic, typical)


def algorithm_2_apart():
    dyadic, typical = DYADIC_ADAM | {"lr": 0.0625}, TYPICAL_ADAM | {"lr": 0.01}
    yield from rates_apart("adam", OUTSIDE, HAT, dyadic, typical)


def suite(version):
    """Inputs of all vectors that came with a suite."""
    plans = {
        "2026.1": (eq_1, algorithm_1, algorithm_2),
        "2026.2": (eq_1_of_sizes, algorithm_1_apart, algorithm_2_apart),
    }[version]
    return [inputs(plan, version) for part in plans for plan in part()]
