"""Gates and schedules: what they are open for, and which of them are thresholds."""

import pytest

from gc_ref._conformance.catalogue.conditions import GATES, SCHEDULES
from gc_ref._conformance.catalogue.parameters import OUTPUT_AXIS, ParameterInfo, infos_of_shapes

MEASURES = {"fan-in": 32, "size": 192, "outputs": 6}  # of the weight below


@pytest.mark.parametrize("measure", MEASURES)
def test_a_threshold_is_above_or_at_most_its_limit(measure):
    weight, value = ParameterInfo((4, 8, 6), -1), MEASURES[measure]
    above, below = GATES[f"{measure}-above"], GATES[f"{measure}-at-most"]
    assert (above.threshold.side, below.threshold.side) == ("above", "at-most")
    assert above.threshold.measure(weight) == below.threshold.measure(weight) == value
    for limit in (value - 1, value, value + 1):
        assert above.test(weight, limit) is (value > limit)
        assert below.test(weight, limit) is (value <= limit)


def test_only_thresholds_are_read_off_the_weights():
    for condition in (*GATES.values(), *SCHEDULES.values()):
        assert bool(condition.numbers) is (condition.threshold is None), condition.name


def test_the_place_of_a_parameter_is_told_from_the_shapes():
    shapes = [(3,), (2, 3), (4, 2, 3), (), (5, 5)]
    infos = infos_of_shapes(shapes, OUTPUT_AXIS["output-first"])
    assert [(p.index, p.count, p.group) for p in infos] == [
        (0, 3, 0), (0, 3, 0), (1, 3, 1), (2, 3, 1), (2, 3, 1)
    ]  # fmt: skip
    assert {p.first_rank for p in infos} == {2}
    assert [p.group for p in infos_of_shapes(shapes, 0, groups=[0, 0, 0, 1, 1])] == [0, 0, 0, 1, 1]
