"""Does the oracle tell correct operators from wrong ones, whatever their style?"""

import pytest

from gc_ref._conformance.judging.trial import WRITES_GRADIENT
from gc_ref.conformance import operator_port

from . import operators
from .judging import check, report_on_operator


@pytest.mark.parametrize("operator", operators.CORRECT, ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_correct_operator_is_accused(operator, seed):
    report = check(operator_port(operator), seed=seed, max_examples=10)
    assert report.verdict == "conforms", report.to_text()
    assert report.checks_run >= 18


@pytest.mark.parametrize(
    "operator",
    [*operators.WRONG, operators.Intermittent(), operators.StaleMean()],
    ids=lambda f: getattr(f, "__name__", type(f).__name__),
)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_wrong_operator_is_caught(operator, seed):
    report = report_on_operator(operator, seed)
    assert report.verdict == "deviates", report.to_text()


@pytest.mark.parametrize(
    ("operator", "ids"),
    [
        (operators.not_applied, {"effect/on", "scope/every-weight", "law/zero-mean"}),
        (operators.layout_swapped, {"scope/every-weight", "scope/slices-isolated"}),
        (operators.vectors_too, {"scope/vectors-untouched"}),
        (operators.vectors_erased, {"scope/vectors-untouched"}),
        (operators.misses_conv1d, {"scope/every-weight"}),
        (operators.nan_leaks, {"scope/slices-isolated"}),
        (operators.half_the_mean, {"law/zero-mean", "law/idempotent", "law/shift-invariant"}),
        (operators.divided_by_deviation, {"law/linear", "law/idempotent"}),
        (operators.median, {"law/zero-mean", "law/linear"}),
        (operators.bfloat16_mean, {"value/bounded"}),
        (operators.first_element, {"law/permutation-equivariant", "law/zero-mean"}),
        (operators.adds_the_mean, {"law/contraction"}),
        (operators.StaleMean(), {"hygiene/state"}),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_the_check_that_names_the_mistake_fails(operator, ids):
    report = report_on_operator(operator)
    assert ids <= {c.id for c in report.with_status("failed")}


def test_writing_to_the_gradient_is_noted_and_not_failed():
    report = report_on_operator(operators.in_place)
    noted = next(c for c in report.checks if c.id == "hygiene/gradient-unmutated")
    assert noted.status == "passed"
    assert "writes to the gradient" in noted.message
    assert WRITES_GRADIENT in report.notes
