"""A learning rate that changes between steps, and a parameter group that is added later."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from gc_ref import bounds, exact
from gc_ref._conformance.cases.exact_steps import expected_steps
from gc_ref._conformance.cases.standard import rates_case
from gc_ref._conformance.checks.value import step_algorithm
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.shared_results import Known
from gc_ref.conformance import output_axes, torch_port

torch = pytest.importorskip("torch")
KNOWN = Known()
PROFILE = bounds.profile("float32", hyperparameters="float32")


def by_hand(case, p, axes, form):
    """SGDM in rational numbers: the weights after each step."""
    w = exact.exactly(p.value).fractions()
    state = [Fraction(0)] * len(w)
    beta = Fraction(case.hyperparameters["momentum"])
    for rate, gradients in zip(map(Fraction, case.rates), case.gradients, strict=True):
        g = exact.centralize(gradients[p.name], output_axis=axes).fractions()
        if form == "velocity":
            state = [beta * v + rate * x for v, x in zip(state, g, strict=True)]
            w = [a - v for a, v in zip(w, state, strict=True)]
        else:
            share = 1 - beta if form == "ema" else 1
            state = [beta * m + share * x for m, x in zip(state, g, strict=True)]
            w = [a - rate * m for a, m in zip(w, state, strict=True)]
        yield w


@pytest.mark.parametrize("form", ["ema", "heavy-ball", "velocity"])
def test_exact_steps_follow_the_rate(form):
    case = rates_case("output-last", seed=0, algorithm="sgdm")
    assert len(set(case.rates)) == len(case.gradients) == 4
    for p in case.parameters:
        axes = output_axes(p.kind, len(p.shape), layout="output-last")
        found = steps_of(case, p, axes, "sgdm", momentum=form)
        for want, got in zip(by_hand(case, p, axes, form), found, strict=True):
            assert [got.ends(i) for i in range(p.value.size)] == [(x, x) for x in want]
            assert np.all(got.tau < 0.1)  # of means of 4,097


def steps_of(case, p, axes, algorithm, **conventions):
    return expected_steps(
        case, p, axes, algorithm=algorithm, conventions=conventions,
        hyperparameters=case.hyperparameters, profile=PROFILE,
    )  # fmt: skip


@pytest.mark.parametrize("algorithm", ["sgdm", "adam"])
def test_a_rate_that_stays_is_none_that_changes(algorithm):
    case = rates_case("output-last", seed=0, algorithm=algorithm)
    lr = case.hyperparameters["lr"]
    p = case.parameters[0]
    axes = output_axes(p.kind, len(p.shape), layout="output-last")
    same = steps_of(replace(case, rates=(lr,) * 4), p, axes, algorithm)
    plain = steps_of(replace(case, rates=()), p, axes, algorithm)
    for one, other in zip(same, plain, strict=True):
        for i in range(p.value.size):
            (a, b), (c, d) = one.ends(i), other.ends(i)
            assert a <= d
            assert c <= b
            assert b - a < Fraction(1, 2**190)
        assert np.array_equal(one.tau, other.tau)


def centralized(group):
    for p in group["params"]:
        if p.dim() > 1:
            p.grad.sub_(p.grad.mean(dim=tuple(range(1, p.dim())), keepdim=True))


def gc(base):
    class WithGC(base):
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                centralized(group)
            return super().step(closure)

    return WithGC


class CachesLr(torch.optim.SGD):
    """Takes the learning rate down when it is made, as a fused kernel may."""

    def __init__(self, params, lr=0.1, momentum=0.0):
        super().__init__(params, lr=lr, momentum=momentum)
        self.first = lr

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            centralized(group)
            group["lr"] = self.first
        return super().step(closure)


class FirstGroups(torch.optim.SGD):
    """Collects the weights to centralize when it is made."""

    def __init__(self, params, lr=0.1, momentum=0.0):
        super().__init__(params, lr=lr, momentum=momentum)
        self.mine = [{"params": list(group["params"])} for group in self.param_groups]

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.mine:
            centralized(group)
        return super().step(closure)


class Velocity(torch.optim.Optimizer):
    """v = beta v + lr g, as Keras."""

    def __init__(self, params, lr=0.1, momentum=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            centralized(group)
            for p in group["params"]:
                v = self.state[p].setdefault("v", torch.zeros_like(p))
                v.mul_(group["momentum"]).add_(p.grad, alpha=group["lr"])
                p.sub_(v)


def judged(optimizer, algorithm="sgdm", **options):
    port = torch_port(optimizer, algorithm=algorithm, **options)
    judge = Judge(port, seed=0, suite="quick", max_examples=0, known=KNOWN)
    return judge, step_algorithm(judge, algorithm)


@pytest.mark.parametrize("wrong", [CachesLr, FirstGroups])
def test_a_port_that_goes_on_as_it_began_is_seen(wrong):
    _, outcome = judged(wrong)
    assert outcome.status == "failed"
    assert outcome.counterexample.case == "rates"
    assert "a learning rate that changes" in outcome.message


@pytest.mark.parametrize(
    ("right", "algorithm"),
    [(gc(torch.optim.SGD), "sgdm"), (Velocity, "sgdm"), (gc(torch.optim.Adam), "adam")],
)
def test_a_right_port_follows_the_rate(right, algorithm):
    judge, outcome = judged(right, algorithm)
    assert outcome.status == "passed", outcome.message
    assert judge.has_run(judge.rates)
    assert "later-group" in judge.rates.drive


def test_a_declared_form_of_the_momentum_is_held_to():
    assert judged(Velocity, conventions={"momentum": "velocity"})[1].status == "passed"
    assert judged(Velocity, conventions={"momentum": "heavy-ball"})[1].status == "failed"


class NoLaterGroup(torch.optim.SGD):
    def add_param_group(self, group):
        if hasattr(self, "made"):
            raise RuntimeError("all groups at the start, please")
        super().add_param_group(group)

    def __init__(self, params, lr=0.1, momentum=0.0):
        super().__init__(params, lr=lr, momentum=momentum)
        self.made = True


def test_a_port_that_takes_no_later_group_is_noted():
    class Right(gc(NoLaterGroup)):
        pass

    judge, outcome = judged(Right)
    assert outcome.status == "passed", outcome.message
    assert any("all groups at the start, please" in note for note in judge.notes)
