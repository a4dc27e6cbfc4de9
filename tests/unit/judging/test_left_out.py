"""Parameters of a number of dimensions that an optimizer cannot be given: the rest is judged."""

import numpy as np
import pytest
from _numpy_optimizers import phi, rmsprop, sgdm

from gc_ref._conformance.checks.registry import RUNS
from gc_ref._conformance.judging.left_out import refused_ranks
from gc_ref._conformance.running.judge_port import RunOptions
from gc_ref.conformance import Case, Parameter, PortError, check, numpy_port

IDS = ("hygiene/shape", "scope/every-weight", "scope/vectors-untouched", "value/exact")


def refusing(run, *ranks):
    """Make a function of a case that raises where a parameter has so many dimensions."""

    def refuses(case):
        found = {p.value.ndim for p in case.parameters}
        if found & set(ranks):
            raise ValueError(f"no parameters of {sorted(found & set(ranks))} dimensions")
        return run(case)

    return refuses


def case_of(*ranks):
    owned = tuple(
        Parameter(f"p{r}", "dense" if r > 1 else "scale", np.zeros((2,) * r), "dense")
        for r in ranks
    )
    return Case("any", owned, ({p.name: p.value for p in owned},))


class TestRefusedRanks:
    def refused(self, refuses, *ranks):
        def run(case):
            if refuses({p.value.ndim for p in case.parameters}):
                raise PortError("no")

        return refused_ranks(case_of(*ranks), run)

    def test_one(self):
        assert self.refused(lambda ranks: 0 in ranks, 0, 1, 2, 3) == {0}

    def test_several(self):
        assert self.refused(lambda ranks: bool(ranks - {2}), 0, 1, 2, 5) == {0, 1, 5}

    def test_vectors_that_need_a_weight_beside_them_are_kept(self):
        def refuses(ranks):
            return 5 in ranks or max(ranks, default=0) < 2

        assert self.refused(refuses, 0, 1, 2, 5) == {5}

    def test_not_where_everything_is_refused(self):
        assert self.refused(lambda ranks: True, 0, 1, 2) == frozenset()

    def test_not_where_no_weight_would_be_left(self):
        assert self.refused(lambda ranks: max(ranks, default=0) > 1, 0, 1, 2, 3) == frozenset()


def outcomes(port, *ids):
    judge = RunOptions(max_examples=0).judge(port)
    return {id: RUNS[id](judge) for id in ids}, list(judge.notes)


@pytest.mark.parametrize(
    ("ranks", "count"), [((0,), "1 of 26"), ((5,), "1 of 26"), ((0, 1, 3, 4, 5), None)]
)
def test_the_rest_is_judged_and_what_is_left_out_is_named(ranks, count):
    base = numpy_port(refusing(sgdm(lambda g: g), *ranks))
    found, notes = outcomes(numpy_port(refusing(sgdm(), *ranks), base=base), *IDS)
    assert {o.status for o in found.values()} <= {"passed", "not-applicable"}
    assert found["scope/every-weight"].status == "passed"
    [note] = [n for n in notes if "were left out" in n]
    assert "as the base cannot be given them" in note
    assert f"no parameters of {list(ranks)} dimensions" in note or count is None
    assert count is None or note.startswith(f"{count} parameters were left out")
    assert ("temperature.scalar" in note) == (0 in ranks)
    vectors = found["scope/vectors-untouched"].status
    assert vectors == ("not-applicable" if {0, 1} <= set(ranks) else "passed")


def test_what_is_wrong_with_the_rest_is_found():
    wrong = refusing(sgdm(lambda g: (g + phi(g)) / 2), 0)
    base = numpy_port(refusing(sgdm(lambda g: g), 0))
    found, _ = outcomes(numpy_port(wrong, base=base), "scope/every-weight")
    assert found["scope/every-weight"].status == "failed"


@pytest.mark.parametrize("algorithm", ["sgdm", None])
def test_without_a_base_nothing_shows_that_the_optimizer_is_like_that(algorithm):
    port = numpy_port(refusing(sgdm(), 3, 4, 5), algorithm=algorithm)
    report = check(port, max_examples=0)
    assert report.verdict == "error"
    assert "no parameters of [3, 4, 5] dimensions" in report.checks[-1].message


class TestWithABase:
    def test_that_refuses_it_too(self):
        base = numpy_port(refusing(rmsprop(lambda g: g), 5))
        port = numpy_port(refusing(rmsprop(), 5), base=base)
        found, notes = outcomes(port, "scope/every-weight", "step/base-law")
        assert {o.status for o in found.values()} == {"passed"}
        assert any("as the base cannot be given them: conv3d_0.kernel" in note for note in notes)

    def test_that_takes_it(self):
        port = numpy_port(refusing(rmsprop(), 5), base=numpy_port(rmsprop(lambda g: g)))
        report = check(port, max_examples=0)
        assert report.verdict == "error"
        assert "no parameters of [5] dimensions" in report.checks[-1].message
