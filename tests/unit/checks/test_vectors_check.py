"""gc-ref check on the frozen vectors."""

from dataclasses import replace

import pytest
from _vector_ports import centralize, sgdm_port, trainer

from gc_ref._conformance.cli.main import main
from gc_ref._conformance.ports.port import SkippedError
from gc_ref.conformance import PortError, check, operator_port


def finding(report, name):
    [found] = [c for c in report.checks if c.id == name]
    return found


def counted(port, **changes):
    """The port, and the ids of the cases that it is run on."""
    ran = []

    def run(case):
        ran.append(case.id)
        return port.run(case)

    return replace(port, run=run, **changes), ran


def test_a_right_operator_passes_all_that_are_for_it():
    report = check(operator_port(centralize, name="mine"), max_examples=0)
    assert report.verdict == "conforms"
    assert report.vectors == 53
    assert report.suite_version == report.to_dict()["suite_version"] == "2026.2"
    assert "suite quick 2026.2 (53 vectors passed), seed 0" in report.to_text()


@pytest.mark.parametrize(
    ("shape", "name", "where"),
    [
        ((1, 1, 1, 4, 2), "value/exact", "eq1/conv3d-1x1x1-integers-last-f32"),
        ((3, 3, 3, 4), "value/bounded", None),
        ((3, 3, 3, 2), "value/bounded", "eq1/conv2d-3x3-cancelling-last-f32"),
    ],
)
def test_what_only_a_vector_shows_is_found(shape, name, where):
    def wrong(g):
        return 2 * centralize(g) if g.shape == shape else centralize(g)

    found = finding(check(operator_port(wrong, name="mine"), max_examples=0), name)
    assert found.status == "failed"
    if where is None:  # the kit's own case had it before
        assert found.counterexample["case"] == "bounded"
        return
    assert found.counterexample["case"].startswith("vector:eq1/")
    assert where in {found.counterexample["case"].removeprefix("vector:"), where}
    assert found.counterexample["shape"] == list(shape)
    assert "frozen vectors: " in found.message


def test_trajectories_are_judged_where_the_conventions_are_the_ports():
    right = check(sgdm_port(), max_examples=0)
    assert right.verdict == "conforms"
    run = trainer(centralize, lambda name, w, t: w.shape == (2, 3, 4) and t == 3)
    found = finding(check(sgdm_port(run), max_examples=0), "step/sgdm")
    assert found.status == "failed"
    vector = "vector:sgdm/conv1d-ordinary-heavy-ball-last-f32"
    assert (found.counterexample["case"], found.counterexample["step"]) == (vector, 3)


def test_a_dear_port_runs_them_once_and_only_when_asked():
    port, ran = counted(sgdm_port(), per_run_cost="dear")
    quick = check(port, max_examples=0)
    assert (quick.verdict, quick.vectors) == ("conforms", 0)
    assert not [case for case in ran if case.startswith("vector")]
    ran.clear()
    pinned = check(port, suite_version="2026.1", max_examples=0)
    assert (pinned.verdict, pinned.vectors) == ("conforms", 36)
    assert [case for case in ran if case.startswith("vector")] == ["vectors"]
    ran.clear()
    assert check(port, suite="full", max_examples=0).vectors == 43
    assert [case for case in ran if case.startswith("vector")] == ["vectors"]


def test_a_port_that_skips_them_is_noted_and_not_accused():
    inner = sgdm_port()

    def run(case):
        if case.id.startswith("vector"):
            raise SkippedError(f"mine skips case {case.id}: too many")
        return inner.run(case)

    report = check(replace(inner, run=run), max_examples=0)
    assert (report.verdict, report.vectors) == ("conforms", 0)
    assert "mine skips case vectors: too many" in report.notes


def test_a_dtype_that_breaks_down_is_noted_and_float32_is_an_error():
    inner = sgdm_port()

    def run(dtype):
        def drive(case):
            if case.id == "vectors" and case.dtype == dtype:
                raise PortError("no")
            return inner.run(case)

        return check(replace(inner, run=drive), max_examples=0)

    assert "could not be driven in float64: no" in run("float64").notes
    assert run("float64").verdict == "conforms"
    assert run("float32").verdict == "error"


def test_versions_are_checked_before_anything_runs(capsys):
    port, ran = counted(sgdm_port())
    with pytest.raises(
        ValueError, match=r"unknown suite version '2030\.1'; known: 2026\.1, 2026\.2"
    ):
        check(port, suite_version="2030.1")
    assert not ran
    assert main(["check", "--suite-version", "2030.1"]) == 2
    assert (
        capsys.readouterr().err == "gc-ref: unknown suite version '2030.1'; known: 2026.1, 2026.2\n"
    )
