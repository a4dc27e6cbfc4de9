"""What a user of the plugin has: a module of operators, and a test file for some of them."""

from gc_ref.conformance import CHECKS

MODULE = """
def first_axis(g):
    if g.ndim < 2:
        return g
    return g - g.mean(axis=0, keepdims=True)


def right(g):
    if g.ndim < 2:
        return g
    return g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def convolutions(g):
    return right(g) if g.ndim > 2 else g


def nothing(g):
    return None
"""
TEST = """
import my_gc
from gc_ref.conformance import operator_port, parametrize_with_checks

ports = [operator_port(getattr(my_gc, name)) for name in {names}]

@parametrize_with_checks(ports, expected_failed_checks={known!r})
def test_gc(port, check):
    check(port)
"""
FAILED = ["scope/every-weight", "value/exact", "value/bounded", "law/orthogonal"]
NOT_APPLICABLE = [
    "effect/off", "step/sgdm", "step/adam", "step/base-law", "step/constraint",
    "step/theorem-4.1", "hygiene/checkpoint",
]  # fmt: skip
ALL, SKIPPED = len(CHECKS), len(NOT_APPLICABLE)
