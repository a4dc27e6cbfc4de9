"""GCC by a weight's number of dimensions: a deviation that is told in plain words."""

import pytest
from _numpy_optimizers import identity, phi, rmsprop, sgdm

from gc_ref.conformance import check, numpy_port, operator_port

SAID = "GCC here means every convolution, Conv1D included (rank-gated)"


def by_rank(g):
    """The authors' own code for convolutions."""
    return phi(g) if g.ndim > 3 else g


def convolutions(g):
    return phi(g) if g.ndim > 2 else g


def all_but_conv1d(g):
    return g if g.ndim == 3 else phi(g)


def ports(f):
    return {
        "operator": operator_port(f),
        "sgdm": numpy_port(sgdm(f), algorithm="sgdm"),
        "all-declared": numpy_port(sgdm(f), algorithm="sgdm", conventions={"scope": "all"}),
        "base": numpy_port(rmsprop(f), base=numpy_port(rmsprop(identity))),
        "unknown": numpy_port(rmsprop(f)),
    }


def every_weight(port):
    report = check(port, max_examples=0)
    [found] = [c for c in report.checks if c.id == "scope/every-weight"]
    return found


@pytest.mark.parametrize("way", list(ports(phi)))
def test_a_gate_by_rank_is_named(way):
    found = every_weight(ports(by_rank)[way])
    assert found.status == "failed"
    assert "gates by rank: only weights of more than 3 dimensions" in found.message
    assert SAID in found.message


@pytest.mark.parametrize("way", list(ports(phi)))
def test_other_weights_that_are_left_alone_are_no_gate_by_rank(way):
    found = every_weight(ports(all_but_conv1d)[way])
    assert found.status == "failed"
    assert "rank" not in found.message


@pytest.mark.parametrize("way", ["operator", "sgdm", "base", "unknown"])
def test_every_convolution_conforms(way):
    assert every_weight(ports(convolutions)[way]).status == "passed"
