"""Is the diagnosis right: of ports that others wrote, of pairs, of ports nobody knows?"""

import numpy as np
import pytest

from gc_ref._conformance.catalogue.deviations import Form
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.wrong_ports.make import make_port

from . import operators, optimizers
from .judging import check, report_by_base, report_on_operator, report_on_optimizer

#: Written without the catalogue's code: see operators.py.
OPERATORS = {
    operators.not_applied: "not-applied",
    operators.layout_swapped: "layout-swapped",
    operators.spatial_axes_only: "partial-axes",
    operators.channels_only: "partial-axes",
    operators.whole_tensor: "whole-tensor",
    operators.vectors_too: "vectors-too",
    operators.vectors_erased: "vectors-erased",
    operators.shape_gated: "shape-gated",
    operators.second_dimension_gated: "shape-gated",
    operators.small_gated: "shape-gated",
    operators.large_gated: "shape-gated",
    operators.misses_conv1d: "rank-gated",
    operators.misses_conv3d: "rank-gated",
    operators.offset: "offset",
    operators.adds_the_mean: "partial",
    operators.half_the_mean: "partial",
    operators.almost_the_mean: "partial",
    operators.divided_by_deviation: "scaled",
    operators.wrong_divisor: "wrong-divisor",
    operators.median: "not-the-mean",
    operators.first_element: "not-the-mean",
    operators.mean_of_magnitudes: "not-the-mean",
    operators.bfloat16_mean: "low-precision-mean",
    operators.nan_leaks: "nan-leak",
}
OPTIMIZERS = {
    "not_applied": "not-applied",
    "layout_swapped": "layout-swapped",
    "channels_only": "partial-axes",
    "whole_tensor": "whole-tensor",
    "vectors_too": "vectors-too",
    "vectors_erased": "vectors-erased",
    "second_dimension_gated": "shape-gated",
    "small_gated": "shape-gated",
    "misses_conv1d": "rank-gated",
    "offset": "offset",
    "half_the_mean": "partial",
    "almost_the_mean": "partial",
    "wrong_divisor": "wrong-divisor",
    "bfloat16_mean": "low-precision-mean",
}
MISTAKES = {
    "shared-state": "state-aliased",
    "lr-twice": "lr-twice",
    "every-second-step": "intermittent",
    "first-steps-only": "intermittent",
    "from-third-step": "intermittent",
    "first-half-of-parameters": "partial",
    "base-dropped": "base-dropped",
    "weights-centralized": "weights-centralized",
    "second-moment-raw": "second-moment-raw",
    "bias-correction-missing": "bias-correction-missing",
}
NAMED = [o for o in optimizers.WRONG if o.mistake != "decay-distorted"]


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda f: f.__name__)
def test_a_wrong_operator_is_named(operator):
    report = report_on_operator(operator)
    assert report.identified == (OPERATORS[operator],), report.diagnosis


@pytest.mark.parametrize("optimizer", NAMED, ids=lambda o: o.__name__)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "inferred"])
def test_a_wrong_optimizer_is_named(optimizer, declared):
    if optimizer.mistake == "base-dropped" and not declared:
        pytest.skip("plain descent with GC conforms where nobody promised more")
    report = report_on_optimizer(optimizer, declared=declared)
    expected = MISTAKES.get(optimizer.mistake) or OPTIMIZERS[optimizer.phi.__name__]
    assert report.identified == (expected,), report.diagnosis


@pytest.mark.parametrize("optimizer", NAMED[:14], ids=lambda o: o.__name__)
def test_a_wrong_optimizer_is_named_by_its_base(optimizer):
    report = report_by_base(optimizer)
    expected = OPTIMIZERS[optimizer.phi.__name__]
    assert report.identified in ((expected,), ()), report.diagnosis
    if expected not in ("offset", "partial"):  # an amount is not fitted through a base
        assert report.identified == (expected,), report.diagnosis


PAIRS = [
    (Semantics(centering="other-layout", vectors="mean"), {"layout-swapped", "vectors-too"}),
    (Semantics(centering="whole", vectors="mean"), {"whole-tensor", "vectors-too"}),
    (
        Semantics(centering="other-layout", gate="rank-is-not", gate_number=3),
        {"layout-swapped", "rank-gated"},
    ),
    (
        Semantics(
            centering="partial", amount=0.5, gate="second-dimension-multiple", gate_number=16,
        ),
        {"partial", "shape-gated"},
    ),
    (
        Semantics(centering="whole", schedule="skips-every", schedule_number=2),
        {"whole-tensor", "intermittent"},
    ),
    (Semantics(centering="fan-in-1", mistake="lr-twice"), {"wrong-divisor", "lr-twice"}),
    (
        Semantics(centering="channels", algorithm="adam", mistake="bias-correction-missing"),
        {"partial-axes", "bias-correction-missing"},
    ),
    (
        Semantics(centering="other-layout", algorithm="adam", mistake="second-moment-raw"),
        {"layout-swapped", "second-moment-raw"},
    ),
    (
        Semantics(
            centering="whole", algorithm="adam", mistake="decay-distorted",
            conventions={"decay": "decoupled"},
        ),
        {"whole-tensor", "decay-distorted"},
    ),
    (Semantics(centering="none", vectors="erase"), {"not-applied", "vectors-erased"}),
]  # fmt: skip


@pytest.mark.parametrize("framework", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
@pytest.mark.parametrize(("what", "expected"), PAIRS, ids=["+".join(sorted(e)) for _, e in PAIRS])
def test_a_pair_is_named(what, expected, framework):
    report = check(make_port(Form("", what), framework, name="pair"), max_examples=0)
    assert set(report.identified) == expected, report.diagnosis


def clipped(g):
    """Wrong in a way that no catalogue can list: the result is cut at ±5."""
    return np.clip(operators.plain(g), -5, 5).astype(g.dtype)


def cubed(g):
    return (operators.plain(g) ** 3).astype(g.dtype)


def mean_of_squares(g):
    return g - (g * g).mean(axis=tuple(range(g.ndim - 1)), keepdims=True) if g.ndim > 1 else g


def sorted_inputs(g):
    return np.sort(operators.plain(g), axis=0) if g.ndim > 1 else g


def odd_outputs_only(g):
    out = operators.plain(g)
    if g.ndim > 1:
        out = out.copy()
        out[..., ::2] = g[..., ::2]
    return out


def softened(g):
    return (np.tanh(operators.plain(g) / 50) * 50).astype(g.dtype) if g.ndim > 1 else g


@pytest.mark.parametrize(
    "operator", [clipped, cubed, mean_of_squares, sorted_inputs, odd_outputs_only, softened]
)
def test_what_nobody_knows_is_not_named(operator):
    report = report_on_operator(operator)
    assert report.verdict == "deviates"
    assert report.identified == ()
    assert report.diagnosis[0].startswith("no known semantics reproduces this port")


def test_where_the_nearest_differs_is_said():
    report = report_on_operator(odd_outputs_only)
    assert "it differs at" in " ".join(report.diagnosis)


@pytest.mark.parametrize("optimizer", optimizers.CORRECT[:4], ids=lambda o: o.__name__)
def test_a_correct_port_has_nothing_to_identify(optimizer):
    report = report_on_optimizer(optimizer, declared=True)
    assert report.identified == ()
    assert "removes the mean over all inputs" in report.diagnosis[0]


def test_semantics_that_cannot_be_told_apart_are_all_named():
    """Of the weights tried, those of more than 512 inputs are those of more than 1,000 elements."""

    def operator(g):
        return g if g.size > 1000 and g.ndim == 2 and g.shape[0] > 512 else operators.plain(g)

    report = report_on_operator(operator)
    assert report.identified == ("shape-gated",)
    assert report.ambiguous
    assert report.diagnosis[0] == "several known semantics do the same on every case tried:"
    assert len(report.diagnosis) > 2
