"""Does the oracle tell correct optimizers from wrong ones, in every convention?"""

import pytest

from gc_ref.conformance import numpy_port

from . import optimizers
from .judging import check, report_by_base, report_on_optimizer
from .operators import plain

INFERRED = ("momentum", "epsilon", "decay")


@pytest.mark.parametrize("optimizer", optimizers.CORRECT, ids=lambda o: o.__name__)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "inferred"])
def test_no_correct_optimizer_is_accused(optimizer, declared):
    port = numpy_port(optimizer, algorithm=optimizer.algorithm if declared else None)
    report = check(port, max_examples=2)
    assert report.verdict == "conforms", report.to_text()
    for field in INFERRED:
        if field in optimizer.conventions:
            assert report.conventions[field]["value"] == optimizer.conventions[field]
    if optimizer.algorithm == "adam" and "placement" in optimizer.conventions:
        alike = {"gradient", "decayed-gradient"}  # without L2 decay
        said = report.conventions["placement"]["value"]
        want = optimizer.conventions["placement"]
        assert said == want or (
            optimizer.conventions.get("decay") != "l2" and {said, want} == alike
        )
    scope = "conv-only" if optimizer.phi is optimizers.conv_only else "all"
    assert report.conventions["scope"]["value"] == scope


@pytest.mark.parametrize("optimizer", optimizers.WRONG, ids=lambda o: o.__name__)
def test_every_wrong_optimizer_is_caught(optimizer):
    report = report_on_optimizer(optimizer, declared=True)
    assert report.verdict == "deviates", report.to_text()


@pytest.mark.parametrize(
    "optimizer",
    [o for o in optimizers.WRONG if o.mistake != "base-dropped"],
    ids=lambda o: o.__name__,
)
def test_every_wrong_optimizer_is_caught_though_nobody_names_its_algorithm(optimizer):
    report = report_on_optimizer(optimizer, declared=False)
    assert report.verdict == "deviates", report.to_text()


@pytest.mark.parametrize("optimizer", optimizers.WRONG, ids=lambda o: o.__name__)
def test_every_wrong_optimizer_breaks_the_base_law(optimizer):
    if optimizer.mistake == "decay-distorted":
        pytest.skip("the base law is held without weight decay")
    report = report_by_base(optimizer)
    assert "step/base-law" in {c.id for c in report.with_status("failed")}, report.to_text()


@pytest.mark.parametrize("optimizer", optimizers.CORRECT, ids=lambda o: o.__name__)
def test_every_correct_optimizer_obeys_the_base_law(optimizer):
    report = report_by_base(optimizer)
    assert report.verdict == "conforms", report.to_text()


def test_a_base_that_centralizes_is_no_base():
    optimizer = optimizers.Optimizer("sgdm", plain)
    report = check(numpy_port(optimizer, base=numpy_port(optimizer)), max_examples=0)
    assert [c.id for c in report.with_status("failed")] == ["effect/off"]
