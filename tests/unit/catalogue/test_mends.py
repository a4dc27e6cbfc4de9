"""Each known deviation has a mend, in one line."""

import pytest

from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.catalogue.mends import INPUT_AXES, MENDS, mend


def test_every_deviation_has_one_and_nothing_else_has():
    assert set(MENDS) == set(DEVIATIONS)


@pytest.mark.parametrize("layout", INPUT_AXES)
@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_it_is_one_sentence_without_placeholders(deviation, layout):
    said = mend(deviation, layout)
    assert "{" not in said
    assert "\n" not in said
    assert len(said) <= 140


def test_the_axes_are_those_of_the_layout():
    assert "range(1, g.ndim)" in mend("whole-tensor", "output-first")
    assert "range(g.ndim - 1)" in mend("whole-tensor", "output-last")
