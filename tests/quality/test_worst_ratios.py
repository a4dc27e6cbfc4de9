"""The searches that attack the bounds: none succeeds, and each would if a bound were broken."""

import numpy as np
import pytest
from _hard_data import DTYPES

from gc_ref import bounds

from .climb_by_hypothesis import climb_by_hypothesis
from .climb_steps import climb_steps, tau_of_steps
from .climb_trees import Trees, climb_trees, tau_of_centralize
from .worst_ratios import STAGES, drawn, main, options


def climbing(stage, name, elements, seed=0, **changes):
    rng = np.random.default_rng(seed)
    if stage == "centralize":
        return climb_trees(name, elements, rng, **changes)
    return climb_steps(stage, name, elements, rng, options, **changes)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("stage", STAGES)
def test_no_search_exceeds_the_bound(stage, name):
    for found in (climbing(stage, name, 4000), climb_by_hypothesis(stage, name, 30, 0)):
        assert 0 < found.ratio <= 1, found.where
    found = drawn(stage, name, 2000, np.random.default_rng(0))
    assert 0 < found.ratio <= 1, found.where
    assert found.elements >= 2000


@pytest.mark.parametrize(
    ("stage", "elements", "gain"),
    # Steps in float32 end in a rounding of at most u, granted 2u: nothing is much above 0.49.
    [("centralize", 30_000, 1.3), ("sgdm", 15_000, 1.0), ("adam", 6000, 1.0)],
)
def test_climbing_finds_more_than_sampling(stage, elements, gain):
    climbed, sampled = (
        max(climbing(stage, "float32", elements, seed, climb=climb).ratio for seed in range(4))
        for climb in (True, False)
    )
    assert climbed > gain * sampled


class TestABrokenBoundIsExceeded:
    """Were a bound too small, the searches would say so."""

    @pytest.mark.parametrize("name", ["float16", "bfloat16"])
    def test_half_of_centralize(self, name):
        def half(g, name):
            return tau_of_centralize(g, name) / 2

        assert climbing("centralize", name, 40_000, tau=half).ratio > 1

    @pytest.mark.parametrize("name", ["float32", "float64"])
    def test_the_error_of_sums_left_out(self, name):
        def storage_only(g, name):
            u = bounds.profile(name).unit_roundoff
            deviation = np.abs(g.astype(float) - g.astype(float).mean(axis=1, keepdims=True))
            return 2 * u * deviation + 1e-300

        assert climbing("centralize", name, 4000, tau=storage_only).ratio > 1
        assert climb_by_hypothesis("centralize", name, 40, 0, tau=storage_only).ratio > 1

    # Not in float64: its bound holds the rounding of float64's own center too.
    @pytest.mark.parametrize("algorithm", ["sgdm", "adam"])
    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
    def test_a_third_of_the_steps(self, algorithm, name):
        def third(algorithm, run, name):
            return [tau / 3 for tau in tau_of_steps(algorithm, run, name)]

        assert climbing(algorithm, name, 10_000, tau=third).ratio > 1


def test_trees_sum_every_leaf_once():
    rng = np.random.default_rng(0)
    values = rng.integers(-50, 50, (6, 9)).astype(float)
    trees = Trees.drawn(rng, 6, 9)
    for _ in range(50):
        np.testing.assert_array_equal(trees.sum(values)[:, 0], values.sum(axis=1))
        np.testing.assert_allclose(trees.mean(values)[:, 0], values.mean(axis=1), atol=1e-13)
        trees = trees.changed(rng)


def test_the_command_prints_a_table(monkeypatch, capsys):
    words = ["worst_ratios.py", "--elements", "300", "--examples", "2"]
    monkeypatch.setattr("sys.argv", words)
    assert main() == 0
    table = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert len(table) == 2 + len(STAGES) * len(DTYPES)
    for row in table[2:]:
        assert int(row.split("|")[3].replace(",", "")) >= 300
