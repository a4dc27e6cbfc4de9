"""hygiene/*: ports that draw random numbers, failures of the base, dtypes that change."""

import random

import numpy as np
import pytest
from _numpy_optimizers import phi, sgdm

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.checks.registry import RUNS
from gc_ref._conformance.running.judge_port import RunOptions
from gc_ref.conformance import check, numpy_port, operator_port, torch_port

torch = pytest.importorskip("torch")

#: Where optimizers take random numbers from.
DRAWS = {
    "torch": torch.randn_like,
    "numpy": lambda p: torch.from_numpy(np.random.standard_normal(p.numel())).view_as(p),
    "python": lambda p: torch.full_like(p, random.gauss(0, 1)),
}

HYGIENE = [id for id in CHECKS if id.startswith("hygiene/")]


def found(port, *ids):
    """Outcomes of checks by themselves, without the rest of the suite."""
    judge = RunOptions(max_examples=0).judge(port)
    return {id: RUNS[id](judge) for id in ids or HYGIENE}


def failures(port, *ids):
    return {id for id, outcome in found(port, *ids).items() if outcome.status == "failed"}


def centralize(optimizer):
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.dim() > 1:
                p.grad = p.grad - p.grad.mean(dim=tuple(range(1, p.dim())), keepdim=True)


class GC(torch.optim.SGD):
    """A right port; what is wrong with one is in its subclasses."""

    def __init__(self, params, lr=0.1, momentum=0.0):
        super().__init__(params, lr=lr, momentum=momentum)

    def step(self, closure=None):
        centralize(self)
        return super().step(closure)


class TestRandomNumbers:
    def noisy(self, source, base=torch.optim.SGD):
        """Stochastic gradient Langevin dynamics: noise on each weight, at each step."""
        draw = DRAWS[source]

        class Langevin(base):
            def __init__(self, params, lr=0.1, momentum=0.0):
                super().__init__(params, lr=lr, momentum=momentum)
                self.started = draw(torch.zeros(2))  # some draw when they are made, too

            @torch.no_grad()
            def step(self, closure=None):
                super().step(closure)
                for group in self.param_groups:
                    for p in group["params"]:
                        p.add_(draw(p).to(p.dtype), alpha=group["lr"])

        return Langevin

    @pytest.mark.parametrize("source", DRAWS)
    def test_noise_is_no_shared_state(self, source):
        assert not failures(torch_port(self.noisy(source, GC)))

    @pytest.mark.parametrize("source", DRAWS)
    def test_port_and_base_draw_the_same_numbers(self, source):
        port = torch_port(self.noisy(source, GC), base=torch_port(self.noisy(source)))
        assert not failures(port, "step/base-law", "scope/every-weight")

    def test_noise_does_not_hide_shared_state(self):
        class Shared(self.noisy("torch", GC)):
            calls = 0

            def __init__(self, *args, **keywords):
                Shared.calls = 0
                super().__init__(*args, **keywords)

            def step(self, closure=None):
                Shared.calls += 1
                for group in self.param_groups:
                    group["lr"] = 0.5 / Shared.calls
                return super().step(closure)

        assert "hygiene/state" in failures(torch_port(Shared))

    def test_a_port_that_is_wrong_now_and_then_shares_nothing(self):
        class NowAndThen(torch.optim.SGD):
            def __init__(self, params, lr=0.1, momentum=0.0):
                super().__init__(params, lr=lr, momentum=momentum)

            def step(self, closure=None):
                if random.random() < 0.7:
                    centralize(self)
                return super().step(closure)

        report = check(torch_port(NowAndThen, algorithm="sgdm"), max_examples=0)
        assert report.identified == ("intermittent",)
        assert not [c for c in report.with_status("failed") if c.id.startswith("hygiene/")]

    def test_an_operator_that_draws(self):
        def dithered(g):
            return phi(g) + np.random.uniform(-1, 1, g.shape).astype(g.dtype) * g.dtype.type(1e-30)

        assert not failures(operator_port(dithered))

    def test_a_function_of_a_case_that_draws(self):
        def run(case):
            steps = sgdm()(case)
            noise = np.random.normal()
            return [{k: w + w.dtype.type(noise) for k, w in step.items()} for step in steps]

        assert not failures(numpy_port(run))

    def test_generators_are_left_as_they_were(self):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
        for source in DRAWS:
            found(torch_port(self.noisy(source)), "hygiene/deterministic")
        assert random.getstate() == before[0]
        assert np.random.get_state()[1].tolist() == before[1]
        assert torch.equal(torch.get_rng_state(), before[2])


class TestFailuresOfTheBase:
    class Forgets(torch.optim.SGD):
        """Loses its momentum when it is restored."""

        def __init__(self, params, lr=0.1, momentum=0.0):
            super().__init__(params, lr=lr, momentum=momentum)

        def load_state_dict(self, state_dict):
            pass

    class GCForgets(Forgets):
        def step(self, closure=None):
            centralize(self)
            return super().step(closure)

    class Restless(torch.optim.SGD):
        """Is no two times the same: its generator belongs to the module."""

        generator = torch.Generator().manual_seed(0)

        def __init__(self, params, lr=0.1):
            super().__init__(params, lr=lr)

        @torch.no_grad()
        def step(self, closure=None):
            super().step(closure)
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(torch.rand(1, generator=self.generator).item())

    def test_are_not_charged_to_gc(self):
        port = torch_port(self.GCForgets, base=torch_port(self.Forgets))
        outcome = found(port)["hygiene/checkpoint"]
        assert outcome.status == "not-applicable"
        assert outcome.message.startswith("not GC's doing, as the base optimizer does so too: ")
        assert "after saving and restoring the optimizer" in outcome.message

    def test_are_charged_where_the_base_does_well(self):
        port = torch_port(self.GCForgets, base=torch_port(torch.optim.SGD))
        assert failures(port) == {"hygiene/checkpoint"}

    def test_are_charged_where_there_is_no_base(self):
        assert failures(torch_port(self.GCForgets)) == {"hygiene/checkpoint"}

    def test_two_runs_that_differ(self):
        port = torch_port(self.Restless, base=torch_port(self.Restless))
        assert found(port, "hygiene/deterministic")["hygiene/deterministic"].status == (
            "not-applicable"
        )
        assert failures(torch_port(self.Restless)) == {"hygiene/deterministic"}


class TestDtypes:
    def widening(self, where):
        """A right port but for the dtype of what it answers, ``where(case, step)``."""

        def run(case):
            steps = sgdm()(case)
            return [
                {k: w.astype(np.float64) if where(case, i) else w for k, w in step.items()}
                for i, step in enumerate(steps, 1)
            ]

        return numpy_port(run, algorithm="sgdm")

    @pytest.mark.parametrize(
        "where",
        [
            lambda case, step: step == 2,
            lambda case, step: step > 20,
            lambda case, step: case.hyperparameters["weight_decay"] > 0,
        ],
        ids=["one step of many", "in the end", "with weight decay"],
    )
    def test_that_changes_in_some_cases_only(self, where):
        assert failures(self.widening(where)) == {"hygiene/dtype"}

    def test_that_never_changes(self):
        assert not failures(self.widening(lambda case, step: False))

    def test_that_changes_in_the_case_of_another_check(self):
        def large(case, step):
            return max(np.abs(g).max() for g in case.gradients[step - 1].values()) > 1e5

        report = check(self.widening(large), max_examples=0)
        assert report.verdict == "deviates"
        for found in report.with_status("failed"):
            assert "of dtype float32 comes back as float64 in case" in found.message

    def test_that_the_base_changes_too(self):
        wide = self.widening(lambda case, step: step == 2)
        port = numpy_port(wide.run, base=wide)
        assert found(port, "hygiene/dtype")["hygiene/dtype"].status == "not-applicable"
