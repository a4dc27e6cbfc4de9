"""A convention that the first data cannot tell is settled by longer runs, or left open."""

from dataclasses import replace

import numpy as np
import pytest
from _numpy_optimizers import adam, identity, phi, rmsprop, sgdm, trainer

from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.shared_results import Known
from gc_ref._conformance.running.judge_port import RunOptions, judge_port
from gc_ref.conformance import numpy_port, optax_port, torch_port


def warming_up(centralize=identity, *, on_update=False, steps=5):
    """Plain momentum at first, then divided by a root: as RAdam before it rectifies."""

    def step(w, g, state, h, t, name):
        del name
        half = w.dtype.type(0.5)
        g = g if on_update else centralize(g)
        state["m"] = half * state.get("m", 0) + half * g
        state["v"] = half * state.get("v", 0) + half * g * g
        move = state["m"] / (np.sqrt(state["v"]) + 1) if t > steps else state["m"]
        return w - h["lr"] * (centralize(move) if on_update else move)

    return trainer(step)


KNOWN = Known()


def check(port):
    return judge_port(port, RunOptions(max_examples=0), known=KNOWN)


def specification(port):
    return Judge(port, seed=0, suite="quick", max_examples=0, known=KNOWN).specification


BASE = numpy_port(warming_up(), name="base")


@pytest.mark.parametrize(("on_update", "placement"), [(False, "gradient"), (True, "update")])
def test_placement_while_the_optimizer_warms_up(on_update, placement):
    report = check(numpy_port(warming_up(phi, on_update=on_update), base=BASE))
    assert report.verdict == "conforms", report.to_text()
    assert report.conventions["placement"] == {"value": placement, "source": "inferred"}


@pytest.mark.parametrize("on_update", [False, True])
def test_placement_that_nothing_tells(on_update):
    """Of a linear optimizer Φ commutes with the step: no run can tell, and none is accused."""
    base = numpy_port(warming_up(steps=1000), name="base")
    port = numpy_port(warming_up(phi, on_update=on_update, steps=1000), base=base)
    found = specification(port)
    assert "placement" not in found.conventions.to_json()
    assert "give the same steps" in " ".join(found.remarks)


@pytest.mark.parametrize("on_update", [False, True])
def test_placement_in_torch(on_update):
    torch = pytest.importorskip("torch")

    def centralized(x):
        return x if x.ndim < 2 else x - x.mean(dim=tuple(range(1, x.ndim)), keepdim=True)

    class GCRAdam(torch.optim.RAdam):
        """Φ of the gradient, or ``gc_loc=False``: of the update, its decay inside."""

        @torch.no_grad()
        def step(self, closure=None):
            owned = [p for group in self.param_groups for p in group["params"]]
            before = [p.clone() for p in owned]
            for p in owned:
                p.grad = p.grad if on_update else centralized(p.grad)
            loss = super().step(closure)
            for p, w in zip(owned, before, strict=True):
                p.copy_(w + centralized(p - w) if on_update else p)
            return loss

    report = check(torch_port(GCRAdam, base=torch_port(torch.optim.RAdam)))
    assert report.verdict == "conforms", report.to_text()
    assert report.conventions["placement"]["value"] == ("update" if on_update else "gradient")


@pytest.mark.parametrize("on_update", [False, True])
def test_placement_in_optax(on_update):
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    gc = optax.stateless(lambda g, _: jax.tree.map(phi, g))

    def gc_radam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
        radam = optax.radam(learning_rate, b1=b1, b2=b2, eps=eps)
        return optax.chain(radam, gc) if on_update else optax.chain(gc, radam)

    found = specification(optax_port(gc_radam, base=optax_port(optax.radam)))
    assert found.placement == ("update" if on_update else "gradient")


@pytest.mark.parametrize("hat", [False, True])
def test_epsilon_that_nothing_tells(hat):
    """An ε far below a rounding may be added anywhere."""
    port = numpy_port(adam(hat=hat), algorithm="adam")

    def run(case):
        hyper = {**case.hyperparameters, "eps": 1e-30}
        return port.run(replace(case, hyperparameters=hyper))

    fixed = replace(port, run=run, takes=port.takes - {"eps"}, fixed={"eps": 1e-30})
    found = specification(fixed)
    assert "epsilon" not in found.conventions.to_json()
    assert found.conventions.to_json()["placement"]["value"] == "gradient"


class TestDecayInsideTheUpdate:
    """Φ(direction + λw): the weight sums stay, for any optimizer."""

    @staticmethod
    def run(where):
        def step(w, g, state, h, t, name):
            del name
            b1, b2, one = h["beta1"], h["beta2"], w.dtype.type(1)
            m = state["m"] = b1 * state.get("m", 0) + (one - b1) * g
            v = state["v"] = b2 * state.get("v", 0) + (one - b2) * g * g
            move = m / (one - b1**t) / (np.sqrt(v / (one - b2**t)) + h["eps"])
            decay = h["weight_decay"] * w
            inside, outside = (decay, 0) if where == "inside" else (0, decay)
            return w - h["lr"] * (phi(move + inside) + outside)

        return trainer(step)

    @pytest.mark.parametrize(
        ("where", "placement"), [("inside", "decayed-update"), ("outside", "update")]
    )
    def test_it_conforms(self, where, placement):
        report = check(numpy_port(self.run(where)))
        assert report.verdict == "conforms", report.to_text()
        assert report.conventions["placement"]["value"] == placement
        assert report.conventions["decay"]["value"] == "decoupled"
        [constraint] = [c for c in report.checks if c.id == "step/constraint"]
        assert constraint.status == "passed"

    def test_declared_and_not_so(self):
        declared = {"placement": "decayed-update"}
        port = numpy_port(self.run("outside"), algorithm="adam", conventions=declared)
        assert check(port).verdict == "deviates"


def growing_decay(where):
    """Signs with a decay that grows from step to step: beside, inside or absent from Φ."""

    def step(w, g, state, h, t, name):
        del state, name
        decay = h["weight_decay"] * min(t, 3) * w
        if where == "base":
            return w - h["lr"] * (np.sign(g) + decay)
        if where == "inside":
            return w - h["lr"] * phi(np.sign(g) + decay)
        return w - h["lr"] * (phi(np.sign(g)) + decay * (0.5 if where == "half" else 1))

    return numpy_port(trainer(step), name=where)


@pytest.mark.parametrize(
    ("where", "verdict"),
    [("inside", "conforms"), ("outside", "conforms"), ("half", "deviates")],
)
def test_the_decay_of_a_base_may_change_from_step_to_step(where, verdict):
    report = check(replace(growing_decay(where), base=growing_decay("base")))
    assert report.verdict == verdict, report.to_text()


@pytest.mark.parametrize("on_update", [False, True])
def test_an_unknown_optimizer(on_update):
    report = check(numpy_port(rmsprop(on_update=on_update)))
    assert report.verdict == "conforms", report.to_text()
    placement = report.conventions.get("placement", {}).get("value")
    assert placement == ("update" if on_update else None)


def orthogonalized(centralize):
    """Matrices take the polar factor of their gradient, all else plain descent: as Muon does."""

    def step(w, g, state, h, t, name):
        del state, t, name
        g = centralize(g)
        if g.ndim > 1:
            matrix = g.reshape(-1, g.shape[-1]).astype(np.float64)
            u, s, vh = np.linalg.svd(matrix, full_matrices=False)
            kept = s > 1e-6 * s.max(initial=0)
            g = ((u[:, kept] @ vh[kept]) if kept.any() else 0 * matrix).reshape(g.shape)
        return w - h["lr"] * g.astype(w.dtype)

    return trainer(step)


def test_vectors_alone_are_no_algorithm():
    found = specification(numpy_port(orthogonalized(phi)))
    assert found.mode == "unknown"


def one_mean(g):
    return g - g.mean() if g.ndim > 1 else g


@pytest.mark.parametrize(
    ("run", "mode"),
    [
        (sgdm(identity), "sgdm"),
        (sgdm(one_mean), "sgdm"),  # mixes neurons, and is plain descent for gradients without mean
        (adam(lambda g: (g + phi(g)) / 2), "adam"),  # each neuron by itself
    ],
)
def test_an_algorithm_whose_phi_is_wrong(run, mode):
    assert specification(numpy_port(run)).mode == mode
