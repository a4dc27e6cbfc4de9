"""Every catalogued deviation is caught, by the checks that are there for it, and named."""

from dataclasses import replace

import pytest

from gc_ref._conformance.running.judge_port import RunOptions, judge_port
from gc_ref._conformance.running.selftest import caught, judged_forms, line, rows
from gc_ref._conformance.wrong_ports.make import make_port
from gc_ref.conformance import CHECKS, DEVIATIONS, CheckReport, Deviation, Report

from .judging import KNOWN

FRAMEWORKS = [
    "numpy",
    pytest.param("torch", marks=pytest.mark.torch),
    pytest.param("jax", marks=[pytest.mark.jax, pytest.mark.optax]),
    pytest.param("keras", marks=pytest.mark.keras),
]

#: A NumPy port saves nothing; in optax all state is the caller's, who saves it. PyTorch hands an
#: optimizer no names or kinds of layers.
IMPOSSIBLE = {("state-lost", "numpy"), ("state-lost", "jax"), ("kind-gated", "torch")}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("id", DEVIATIONS)
def test_each_deviation_is_caught_and_named(id, framework):
    found = list(rows([framework], only=lambda one: one == id, controls=False, known=KNOWN))
    assert bool(found) == ((id, framework) not in IMPOSSIBLE)
    for row in found:
        assert row.killed, line(row)
        assert row.identified, (row.name, row.report.identified, row.report.diagnosis)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_control_passes_and_the_absurd_port_fails(framework):
    control, absurd = rows([framework], only=lambda one: False, known=KNOWN)
    assert (control.name, control.report.verdict) == ("control", "conforms")
    assert (absurd.name, absurd.report.verdict) == ("absurd", "deviates")
    assert control.killed
    assert absurd.killed


def test_the_catalogue_names_checks_that_exist():
    for deviation in DEVIATIONS.values():
        assert set(deviation.checks) <= set(CHECKS), deviation.id
        assert len(deviation.checks) > 1 or deviation.only, deviation.id
        assert not deviation.forms[0].label, deviation.id  # the main form comes first


def _ports(deviation):
    """Ports that have it: those of NumPy under each algorithm first, then those that compile."""
    for framework in ("numpy", "torch", "jax"):
        for form, operator in judged_forms(deviation, framework):
            yield form, framework, operator
            for algorithm in ("sgdm", "adam") if framework == "numpy" and not operator else ():
                other = replace(form, semantics=replace(form.semantics, algorithm=algorithm))
                yield other, framework, operator


@pytest.mark.torch
@pytest.mark.jax
@pytest.mark.optax
@pytest.mark.parametrize("id", DEVIATIONS)
def test_each_check_that_is_there_for_a_deviation_can_show_it(id):
    silent = set(DEVIATIONS[id].checks)
    for form, framework, operator in _ports(DEVIATIONS[id]):
        port = make_port(form, framework, operator=operator, name=id)
        report = judge_port(port, RunOptions(max_examples=0), known=KNOWN)
        silent -= {check.id for check in report.with_status("failed")}
        if not silent:
            break
    assert not silent


def _report(*statuses):
    checks = [CheckReport(id, "", "", status, "", None, None, None, "") for id, status in statuses]
    return Report({}, "quick", 0, {}, tuple(checks), (), (), {})


def _deviation(only):
    checks = ("law/linear", "value/exact")
    return Deviation("x", "", "", "", checks, (), only)


@pytest.mark.parametrize(
    ("statuses", "only", "expected"),
    [
        ([("law/linear", "failed"), ("value/exact", "failed")], "", True),
        ([("law/linear", "failed"), ("value/exact", "passed")], "", False),
        ([("law/linear", "failed"), ("value/exact", "passed")], "a reason", True),
        ([("law/linear", "failed"), ("effect/on", "failed")], "", False),
        ([("effect/on", "failed"), ("step/sgdm", "failed")], "a reason", False),
        ([("law/linear", "failed"), ("value/exact", "error")], "a reason", False),
        ([("law/linear", "error"), ("value/exact", "not-applicable")], "a reason", False),
        ([("law/linear", "passed"), ("value/exact", "passed")], "a reason", False),
    ],
)
def test_what_counts_as_caught(statuses, only, expected):
    assert caught(_deviation(only), _report(*statuses)) is expected
