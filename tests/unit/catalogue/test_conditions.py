"""Gates and schedules: what they are open for, and which of them are thresholds."""

import pytest

from gc_ref._conformance.catalogue.conditions import GATES, SCHEDULES, separating
from gc_ref._conformance.catalogue.parameters import OUTPUT_AXIS, ParameterInfo, parameter_infos

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


def matrices(*shapes):
    return [ParameterInfo(shape, -1) for shape in shapes]


def test_the_limit_of_a_threshold_is_read_off_the_weights():
    small, large = matrices((2, 3), (5, 3)), matrices((9, 3), (12, 4))
    above, below = dict(separating(GATES, large, small)), dict(separating(GATES, small, large))
    assert (above["fan-in-above"], above["size-above"]) == (5, 15)
    assert (below["fan-in-at-most"], below["size-at-most"]) == (5, 15)
    assert not any(
        GATES[name].threshold.side == "at-most" for name in above if GATES[name].threshold
    )


def test_no_schedule_separates_a_step_from_itself():
    assert ("until", 2) in separating(SCHEDULES, [1, 2], [3])
    assert separating(SCHEDULES, [1, 2], [1]) == []


def test_the_place_of_a_parameter_is_told_from_the_shapes():
    shapes = dict(enumerate([(3,), (2, 3), (4, 2, 3), (), (5, 5)]))
    infos = parameter_infos(shapes, OUTPUT_AXIS["output-first"])
    assert [(p.index, p.count, p.group) for p in infos.values()] == [
        (0, 3, 0), (0, 3, 0), (1, 3, 1), (2, 3, 1), (2, 3, 1)
    ]  # fmt: skip
    assert {p.first_rank for p in infos.values()} == {2}
    grouped = parameter_infos(shapes, 0, groups=[[2, 4], [0, 1, 3]])
    assert list(grouped) == [2, 4, 0, 1, 3]
    assert [(p.index, p.first_rank, p.group) for p in grouped.values()] == [
        (0, 3, 0), (1, 3, 0), (2, 3, 1), (2, 3, 1), (3, 3, 1)
    ]  # fmt: skip
