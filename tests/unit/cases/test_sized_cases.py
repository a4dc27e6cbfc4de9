"""Cases of sizes and scales as real models have them, and the wrong ports that they catch."""

from dataclasses import replace

import numpy as np
import pytest

from gc_ref import bounds, exact
from gc_ref._conformance.cases import exact_steps
from gc_ref._conformance.cases.comparison import compare
from gc_ref._conformance.cases.exact_steps import expected_steps
from gc_ref._conformance.cases.layers import SIZED_LAYERS
from gc_ref._conformance.cases.standard import scales_case, sized_case
from gc_ref._conformance.checks.value import value_bounded, value_exact
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.shared_results import Known
from gc_ref.conformance import operator_port, optax_port, output_axes, torch_port

LAYOUTS = ("output-first", "output-last")
KNOWN = Known()
PROFILE = bounds.profile("float32", hyperparameters="float32")


def inputs(g):
    return tuple(range(g.ndim - 1))


def right(g):
    return g if g.ndim < 2 else g - g.mean(axis=inputs(g), keepdims=True)


def welford(g):
    if g.ndim < 2:
        return g
    rows = g.reshape(-1, g.shape[-1])
    mean = np.zeros(g.shape[-1], np.float32)
    for count, row in enumerate(rows, 1):
        mean = mean + (row - mean) / np.float32(count)
    return g - mean


def one_by_one(g):
    if g.ndim < 2:
        return g
    rows = g.reshape(-1, g.shape[-1])
    total = np.add.accumulate(rows, axis=0, dtype=np.float32)[-1]
    return g - total / np.float32(len(rows))


def to_the_letter(g):
    """Eq. 2: g - e (eᵀ g)."""
    if g.ndim < 2:
        return g
    rows = g.reshape(-1, g.shape[-1])
    e = np.full(len(rows), 1 / np.sqrt(np.float32(len(rows))), np.float32)
    return (rows - e[:, None] * (e @ rows)).reshape(g.shape)


def wide(g):
    return right(g.astype(np.float64)).astype(g.dtype)


def prescaled(g):
    if g.ndim < 2:
        return g
    return g - (g * np.float32(g.shape[-1] / g.size)).sum(axis=inputs(g), keepdims=True)


def unless(gate):
    """A port that leaves some gradients alone."""
    return lambda g: g if g.ndim > 1 and gate(g) else right(g)


def first_outputs(g):
    return np.where(np.arange(g.shape[-1]) < 32, right(g), g) if g.ndim > 1 else g


def but_the_tail(g):
    if g.ndim != 2:
        return right(g)
    whole = len(g) // 1024 * 1024 or len(g)
    return np.concatenate([right(g[:whole]), g[whole:]])


def keeps_small_means(g):
    if g.ndim < 2:
        return g
    mean = g.mean(axis=inputs(g), keepdims=True)
    return g - np.where(np.abs(mean) < 1e-6, 0, mean)


def vectors_past(count):
    return lambda g: g - g.mean() if g.ndim == 1 and g.size > count else right(g)


WRONG = {
    "more than 4,096 elements": unless(lambda g: g.size > 4096),
    "more than a million elements": unless(lambda g: g.size > 2**20),
    "a fan-in above 1,024": unless(lambda g: g.size // g.shape[-1] > 1024),
    "a fan-in above 16,384": unless(lambda g: g.size // g.shape[-1] > 16384),
    "more than 4,096 outputs": unless(lambda g: g.shape[-1] > 4096),
    "a gradient that sums to 0": unless(lambda g: g.sum(dtype=np.float64) == 0),
    "only the first 32 outputs": first_outputs,
    "the tail past 1,024 is left": but_the_tail,
    "means below 1e-6 are kept": keeps_small_means,
    "vectors of more than 8": vectors_past(8),
    "vectors of more than 16": vectors_past(16),
    "vectors of more than 4,096": vectors_past(4096),
}
CORRECT = (right, welford, one_by_one, to_the_letter, wide, prescaled)


def found(port):
    """Outcomes of the checks of values, in float32."""
    driven = replace(operator_port(port), dtypes=("float32",))
    judge = Judge(driven, seed=0, suite="quick", max_examples=0, known=KNOWN)
    return value_exact(judge), value_bounded(judge)


@pytest.mark.parametrize("name", WRONG)
def test_a_gate_that_only_real_sizes_cross_is_seen(name):
    outcomes = [o for o in found(WRONG[name]) if o.status != "passed"]
    assert [o.status for o in outcomes] == ["failed"] * len(outcomes) != []
    assert outcomes[0].counterexample.case in ("sized", "scales")


@pytest.mark.parametrize("port", CORRECT)
def test_a_correct_port_is_within_its_bounds_on_large_weights(port):
    assert [o.status for o in found(port)] == ["passed"] * 2


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_correct_sums_of_large_weights_are_within_bounds_at_other_seeds(layout, seed):
    for case in (
        sized_case(layout, seed=seed, algorithm=None, layers=SIZED_LAYERS),
        scales_case(layout, seed=seed, algorithm=None, operator=True),
    ):
        for p in case.parameters:
            axes = output_axes(p.kind, len(p.shape), layout=layout)
            [want] = steps_of(case, p, axes, "operator")
            g = case.gradients[0][p.name]
            for port in CORRECT:
                last = g if axes is None else np.moveaxis(g, axes[0], -1)
                got = port(last)
                got = got if axes is None else np.moveaxis(got, -1, axes[0])
                assert compare(got, want, "float32").within, (p.name, port.__name__)


def steps_of(case, p, axes, algorithm, **conventions):
    return expected_steps(
        case,
        p,
        axes,
        algorithm=algorithm,
        conventions=conventions,
        hyperparameters={"momentum": 0.0, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8}
        | dict(case.hyperparameters),
        profile=PROFILE,
    )


def numbers(expected, size):
    return [expected.ends(i) for i in range(size)], np.ravel(expected.tau).tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("algorithm", "conventions"),
    [
        ("operator", {}),
        ("sgdm", {"momentum": "heavy-ball"}),
        ("sgdm", {"placement": "update"}),
        ("adam", {}),
        ("adam", {"placement": "update"}),
        ("adam", {"placement": "decayed-gradient", "decay": "l2"}),
    ],
)
def test_working_out_each_distinct_neuron_once_changes_nothing(
    monkeypatch, layout, algorithm, conventions
):
    """Against the second witness on the whole weight, element by element."""
    case = sized_case(layout, seed=3, algorithm=None, layers=SIZED_LAYERS)
    names = ("tall.kernel", "tall.bias", "stem.kernel")
    parameters = [p for p in case.parameters if p.name in names]
    hyper = {**case.hyperparameters, "weight_decay": 0.25 if "decay" in conventions else 0.0}
    weights = [replace(p, value=(p.value + np.float32(0.5))) for p in parameters]
    gradients = (case.gradients[0], {k: g + 2 * (g > 5) for k, g in case.gradients[0].items()})
    case = replace(case, hyperparameters=hyper, gradients=gradients)
    for p in weights:
        axes = output_axes(p.kind, len(p.shape), layout=layout)
        found = []
        for large in (0, 10**9):
            monkeypatch.setattr(exact_steps, "LARGE", large)
            found.append(steps_of(case, p, axes, algorithm, **conventions))
        for once, whole in zip(*found, strict=True):
            (left, taus), (right, wide) = (numbers(e, p.value.size) for e in (once, whole))
            assert [(b - a) < (abs(a) + 1) * 2.0**-190 for a, b in left] == [True] * len(left)
            assert all(a <= d and c <= b for (a, b), (c, d) in zip(left, right, strict=True))
            if algorithm != "adam":
                assert left == right
            assert taus == pytest.approx(wide, rel=1e-9, abs=0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_exact_result_of_a_large_weight_is_its_residuals(layout):
    case = sized_case(layout, seed=0, algorithm=None)
    sizes = {}
    for p in case.parameters:
        axes = output_axes(p.kind, len(p.shape), layout=layout)
        sizes[p.layer] = p.value.size
        if axes is not None and p.value.size < 30000:
            g = case.gradients[0][p.name]
            want = exact.centralize(g, output_axis=axes).fractions()
            [got] = steps_of(case, p, axes, "operator")
            assert [got.ends(i) for i in range(g.size)] == [(w, w) for w in want]
    assert sizes["fc1"] > 2**20
    assert case.gradients[0]["fc1.kernel"].sum(dtype=np.float64) == 0


def test_scales_reach_from_1e_30_to_1e30():
    case = scales_case("output-last", seed=0, algorithm="sgdm")
    g = case.gradients[0]["dense_0.kernel"].astype(np.float64)
    means, deviations = np.abs(g.mean(axis=0)), g.std(axis=0)
    assert means.min() < 1e-30
    assert means.max() > 1e30
    ratios = deviations / means
    assert ratios.min() < 0.1
    assert ratios.max() > 50
    assert np.all(np.isfinite(g))


def test_a_torch_port_that_leaves_large_weights_alone_is_seen():
    torch = pytest.importorskip("torch")

    class Gated(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure=None):
            for p in (p for group in self.param_groups for p in group["params"]):
                if p.dim() > 1 and p.numel() <= 2**20:
                    p.grad -= p.grad.mean(dim=tuple(range(1, p.dim())), keepdim=True)
            return super().step(closure)

    assert_gated(torch_port(Gated, algorithm="sgdm"), "fc1.kernel")


def test_an_optax_port_that_forgets_a_tail_is_seen():
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")

    def centralize(g):
        if g.ndim < 2:
            return g
        mean = g.mean(axis=inputs(g), keepdims=True)
        return jax.numpy.where(jax.numpy.arange(g.shape[-1]) < 64, g - mean, g)

    def sgd(learning_rate, momentum):
        forget = optax.stateless(lambda updates, _: jax.tree.map(centralize, updates))
        return optax.chain(forget, optax.sgd(learning_rate, momentum))

    assert_gated(optax_port(sgd, algorithm="sgdm"), "tall.kernel")


def assert_gated(port, parameter):
    """Only the case of sizes shows it."""
    judge = Judge(port, seed=0, suite="quick", max_examples=0, known=KNOWN)
    outcome = value_exact(judge)
    assert outcome.status == "failed"
    assert (outcome.counterexample.case, outcome.counterexample.parameter) == ("sized", parameter)
