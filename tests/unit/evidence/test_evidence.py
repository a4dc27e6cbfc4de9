"""The evidence of a report: true numbers, from the runs that were made anyway."""

from dataclasses import replace
from functools import cache

import _reports
import numpy as np
import pytest

from gc_ref._conformance.cases.standard import integer_case, long_case
from gc_ref._conformance.catalogue.deviations import CONTROL
from gc_ref._conformance.catalogue.execution import training_loop
from gc_ref._conformance.evidence import collect as evidence
from gc_ref._conformance.reports.html.page import render_html
from gc_ref._conformance.reports.worked_example import position, worked_example
from gc_ref._conformance.running import compose as _compose
from gc_ref._conformance.wrong_ports.make import make_port
from gc_ref._slices import to_rows
from gc_ref.conformance import DEVIATIONS, check, numpy_port, operator_port

LAYOUT = "output-last"


def of(name, part):
    return _reports.report(name)["evidence"][part]


def test_means_of_a_function_are_worked_again_from_the_case():
    """The case is made anew, and the wrong function called on it."""
    case = integer_case(LAYOUT, seed=0, algorithm=None, steps=1, operator=True)
    weights = of("swapped", "means")["weights"]
    assert {w["kind"] for w in weights} == {"dense", "conv1d", "conv2d", "conv3d"}
    for w in weights:
        g = case.gradients[0][w["parameter"]].astype(np.float64)
        axes = tuple(w["output_axis"])
        raw = to_rows(g, axes).mean(axis=1)
        left = to_rows(_reports.swapped(g), axes).mean(axis=1)
        assert len(raw) == w["outputs"]
        window = slice(w["first"], w["first"] + 8)
        np.testing.assert_allclose(w["without"], raw[window], rtol=1e-6)
        np.testing.assert_allclose(w["port"], left[window], rtol=1e-6, atol=1e-6)
        assert w["reference"] == [0.0] * len(w["port"])
        assert w["off"] == np.sum(np.abs(left) > 1e-3)


def test_under_adam_a_wrong_port_is_away_and_the_reference_is_not():
    """The mean of Adam's step is not 0 with GC: what is drawn must not speak for the wrong side."""
    found = of("adam-raw", "means")
    assert found["quantity"] == "distance"
    assert all(w["reference"] == [0.0] * len(w["port"]) for w in found["weights"])
    wrong = [w for w in found["weights"] if w["off"]]
    assert wrong
    assert all(max(w["port"]) > 1e-3 for w in wrong)
    assert of("sgdm", "means")["quantity"] == "mean"


def test_a_function_that_does_nothing_leaves_the_means_as_they_were():
    for w in of("idle", "means")["weights"]:
        assert w["port"] == w["without"]
        assert w["off"] == w["outputs"]


@pytest.mark.parametrize("name", ["plain", "sgdm", "based", "unknown"])
def test_a_correct_port_is_as_the_reference(name):
    found = of(name, "means")
    for w in found["weights"]:
        assert w["off"] == 0
        np.testing.assert_allclose(w["port"], w["reference"], rtol=1e-5, atol=1e-6)


def test_an_optimizer_that_centralizes_nothing_moves_as_without_gc():
    found = of("sgdm-idle", "means")
    assert "without GC" in found["without"]
    assert len(found["weights"]) == 9
    for w in found["weights"]:
        assert w["off"] == w["outputs"]
        np.testing.assert_allclose(w["port"], w["without"], rtol=1e-6)
        np.testing.assert_allclose(w["reference"], 0, atol=1e-12)  # SGDM: Φ(g) has no mean


def test_the_weight_shown_is_one_that_is_off():
    """A port that is wrong in large weights only is not shown in a small one."""

    def gated(g):
        return _reports.plain(g) if g.size < 200 else g

    weights = check(operator_port(gated), max_examples=0).evidence["means"]["weights"]
    assert {w["kind"]: w["shape"] for w in weights if w["off"]} == {
        "dense": [16, 16], "conv1d": [1, 16, 16], "conv2d": [2, 2, 8, 16]
    }  # fmt: skip


def test_an_output_far_back_is_in_the_window():
    def last_only(g):
        found = _reports.plain(g)
        if g.ndim == 2 and g.shape[-1] == 16:
            found = found.copy()
            found[..., 15] = g[..., 15]
        return found

    [dense] = [
        w for w in check(operator_port(last_only), max_examples=0).evidence["means"]["weights"]
        if w["kind"] == "dense"
    ]  # fmt: skip
    assert (dense["first"], dense["off"], dense["outputs"]) == (8, 1, 16)
    assert dense["port"][7] == dense["without"][7] != 0


@pytest.mark.parametrize("name", ["plain", "sgdm", "adam-raw", "swapped"])
def test_ratios_are_those_that_the_checks_report(name):
    found = _reports.report(name)
    rows = {(c["case"], c["dtype"]): c for c in found["evidence"]["ratios"]["cases"]}
    assert ("integers", "float32") in rows
    [exact] = [c for c in found["checks"] if c["id"] == "value/exact"]
    wrong = [c for c in rows.values() if c["ratio"] == "inf" or c["ratio"] > 1]
    assert (exact["status"] == "failed") == bool(wrong)
    if name == "sgdm":
        step = next(c for c in found["checks"] if c["id"] == "step/sgdm")
        float32 = [c["ratio"] for (_, dtype), c in rows.items() if dtype == "float32"]
        assert 0 < max(float32) <= step["ratio"]  # the check has frozen cases too
        cases = {case for case, _ in rows if not case.startswith("vector:")}
        assert cases == {"integers", "bounded", "decay", "long", "scales", "sized"}


def test_sums_in_half_precision_are_noted_not_held_against_a_port():
    found = check(operator_port(_reports.sums_in_its_dtype), max_examples=0)
    assert found.verdict == "conforms"
    rows = [c for c in found.evidence["ratios"]["cases"] if c["ratio"] > 1]
    assert [c["dtype"] for c in rows] == ["float16"]
    assert all("float16" in c["note"] for c in rows)


def test_drift_is_worked_again_from_the_case():
    case = long_case(LAYOUT, seed=0, algorithm="sgdm", steps=130)
    found = of("sgdm-idle", "drift")
    assert found["binds"]
    assert found["why"] == ""
    assert len(found["steps"]) == 50
    assert found["steps"][-1] == 130
    steps = training_loop(DEVIATIONS["not-applied"].forms[0].semantics, LAYOUT)(case)
    for t, drift in zip(found["steps"], found["port"], strict=True):
        sums = [
            np.abs((steps[t - 1][p.name].astype(float) - p.value).reshape(-1, p.shape[-1]).sum(0))
            for p in case.parameters if len(p.shape) > 1
        ]  # fmt: skip
        assert drift == pytest.approx(max(s.max() for s in sums), rel=1e-9)
    assert found["reference"] == [0.0] * 50
    assert max(found["port"]) > 100


def test_drift_of_a_correct_port_is_rounding():
    assert max(of("sgdm", "drift")["port"]) < 1e-2


def test_drift_says_where_the_constraint_does_not_bind():
    found = of("adam-raw", "drift")
    assert not found["binds"]
    assert "Adam" in found["why"]
    assert of("based", "drift")["reference"] is not None


@pytest.mark.parametrize("name", ["swapped", "idle", "sgdm-idle", "adam-raw", "vectors"])
def test_the_neuron_of_the_counterexample_agrees_with_it(name):
    found = of(name, "counterexample")
    shown = found["shown"]
    assert len(found["expected"]) == len(found["got"]) == len(shown["gradient"][0])
    assert shown["expected"] in [pytest.approx(v, rel=1e-12) for v in found["expected"]]
    assert shown["got"] in found["got"]
    assert shown["step"] == 1
    assert abs(shown["got"] - shown["expected"]) > shown["bound"]
    if name in ("swapped", "idle"):
        row = shown["gradient"][0]
        assert found["expected"] == [g - sum(row) / len(row) for g in row]


def test_the_smallest_counterexample_is_one_that_a_reader_can_work():
    shown = of("sgdm-idle", "counterexample")["shown"]
    assert len(shown["gradient"]) == 1
    assert len(shown["gradient"][0]) == 2
    assert sum(shown["gradient"][0]) != 0


def test_no_smallest_counterexample_among_those_that_were_expected():
    found = _reports.with_failures_known(_reports.report("swapped"))
    assert _reports.read(found).smallest is None


@pytest.mark.parametrize("name", ["raises", "ravel"])
def test_what_is_omitted_says_why(name):
    found = _reports.report(name)["evidence"]
    assert all(found[part]["omitted"] for part in ("means", "ratios", "drift", "counterexample"))


@pytest.mark.parametrize("mistake", ["not-applied", "second-moment-raw", None])
def test_a_dear_port_is_not_run_once_more(mistake, monkeypatch):
    """Every run of the port is counted, before the evidence and after it."""
    form = DEVIATIONS[mistake].forms[0] if mistake else CONTROL
    counted, around = [], []

    def run(case):
        counted.append(case.id)
        return training_loop(form.semantics, LAYOUT)(case)

    def collect(*given):
        around.append(len(counted))
        found = evidence.collect(*given)
        around.append(len(counted))
        return found

    monkeypatch.setattr(_compose, "collect", collect)
    port = numpy_port(run, name="dear", algorithm=form.semantics.algorithm)
    report = check(replace(port, per_run_cost="dear"), max_examples=0)
    before, after = around
    assert before == after > 5
    assert report.evidence["drift"]["case"] == "long"  # hygiene/dtype has run it


def test_the_same_run_gives_the_same_evidence():
    again = check(make_port(DEVIATIONS["not-applied"].forms[0], "numpy", name="sgdm-idle"),
                  max_examples=0)  # fmt: skip
    assert again.to_json() == _reports.text("sgdm-idle")


def per_channel(g):
    """The mean over axis 1 alone: torch's layout, a window forgotten."""
    return g if g.ndim < 2 else g - g.mean(axis=1, keepdims=True)


@cache
def partial():
    """The report of that port."""
    port = numpy_port(
        _reports.sgdm(per_channel), name="partial", algorithm="sgdm", layout="output-first"
    )
    return check(port, max_examples=0)


def test_a_counterexample_is_not_where_the_gradient_is_0_and_names_what_all_inputs_show():
    shown = partial().smallest.counterexample
    element, neuron, at = shown.easiest, shown.neuron, position(shown)
    assert shown.shape[1] == 1  # one channel: its mean over axis 1 is itself
    assert element.gradient[0][at] != 0
    assert abs(element.got - element.expected) > element.bound
    assert neuron.expected[at] == element.expected
    assert neuron.got[at] == element.got
    text = " ".join(worked_example(shown))
    assert "at every input it used 0: the whole gradient is erased" in text
    assert "gradient itself" not in text


def test_the_weight_shown_is_one_where_a_forgotten_axis_shows():
    """Wherever a weight of its kind has more than one channel and position, it is that one."""
    case = integer_case("output-first", seed=0, algorithm="sgdm", steps=1)
    weights = partial().evidence["means"]["weights"]
    for w in weights:
        assert w["off"] == 0  # without a part of it, the mean over all inputs is gone too
        two = [
            p.name
            for p in case.parameters
            if p.kind == w["kind"]
            and sum(n > 1 for i, n in enumerate(p.shape) if i not in w["output_axis"]) > 1
        ]
        assert not two or w["parameter"] in two
        assert (w["ratio"] > 1) == (w["kind"].startswith("conv") or w["kind"] in
                                    ("depthwise", "transposed"))  # fmt: skip


@pytest.mark.parametrize("name", ["plain", "sgdm"])
def test_the_error_beside_the_means_of_a_correct_port_is_within_its_bound(name):
    assert all(w["ratio"] <= 1 for w in of(name, "means")["weights"])


def test_pictures_of_a_wrong_port_that_agree_with_the_reference_say_what_is_wrong():
    page = " ".join(render_html(partial()).split())
    assert "the port agrees with the reference" not in page
    assert "the per-output means are gone here, too; the fault is in what else is" in page
    assert "see scope/every-weight, value/exact" in page
    assert "These sums do not show what fails here: see scope/every-weight" in page
    right = " ".join(render_html(_reports.data("sgdm")).split())
    assert "these means agree with the reference" in right
    assert "fault" not in right
    assert "do not show" not in right


@pytest.mark.parametrize("examples", [0, 30])
def test_an_example_that_fuzzing_shrank_is_said_to_be_another(examples):
    """The message names the weight of the frozen case; the example beside it may be smaller."""
    port = operator_port(_reports.swapped, name="swapped")
    [found] = [c for c in check(port, max_examples=examples).checks if c.id == "value/bounded"]
    fuzzed = found.counterexample["case"] == "fuzz"
    assert fuzzed == bool(examples)
    assert found.message.startswith("hard regimes: ")
    assert ("shrunk by fuzzing" in found.message) == fuzzed
