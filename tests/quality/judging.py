"""The judge of these tests: what is right on a case is computed once for all of their ports.

Judging is most of what these tests cost: a port that several of them look at is judged once.
"""

from functools import cache

from gc_ref._conformance.judging.shared_results import Known
from gc_ref._conformance.running.judge_port import RunOptions, judge_port
from gc_ref.conformance import numpy_port, operator_port

from . import optimizers

KNOWN = Known()


def check(port, **options):
    """Judge a port as `gc_ref.conformance.check` does, which shares nothing between two ports."""
    return judge_port(port, RunOptions(**options), known=KNOWN, replays=True)


def report_on_operator(operator, seed=0):
    """Report on a function, without fuzzing."""
    return _report_on_operator(operator, seed)


@cache
def _report_on_operator(operator, seed):
    return check(operator_port(operator), seed=seed, max_examples=0)


def report_on_optimizer(optimizer, *, declared):
    """Report on an optimizer whose algorithm is declared or inferred, without fuzzing."""
    return _report_on_optimizer(optimizer, optimizer.algorithm if declared else None)


@cache
def _report_on_optimizer(optimizer, algorithm):
    return check(numpy_port(optimizer, algorithm=algorithm), max_examples=0)


@cache
def report_by_base(optimizer):
    """Report on an optimizer whose base is the same one without GC, without fuzzing."""
    conventions = {k: v for k, v in optimizer.conventions.items() if k != "placement"}
    plain = optimizers.Optimizer(optimizer.algorithm, optimizers.not_applied, **conventions)
    return check(numpy_port(optimizer, base=numpy_port(plain)), max_examples=0)
