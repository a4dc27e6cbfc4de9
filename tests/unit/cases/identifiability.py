"""Readings of a port, right and wrong, and which of them the cases do not tell apart.

A reading is one combination of conventions with one form of one deviation, or with none. A port
must not pass as another reading than its own: on some case the two differ by more than both may
be off by rounding. The test tries a part of all pairs; by hand, in two minutes, all of them:

    python -m tests.unit.cases.identifiability
"""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from gc_ref import bounds
from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.catalogue.deviations import FORMS
from gc_ref._conformance.catalogue.execution import training_loop
from gc_ref._conformance.catalogue.parameters import OUTPUT_AXIS, parameter_infos
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._layouts import output_axes

FORMS_OF_STEP = {
    "sgdm": (
        {"momentum": "ema", "first_momentum": "zero"},
        {"momentum": "ema", "first_momentum": "gradient"},
        {"momentum": "heavy-ball", "first_momentum": "zero"},
    ),
    "adam": ({"epsilon": "outside"}, {"epsilon": "hat"}),
}
DECAYS = tuple(
    {"decay": decay, "placement": placement}
    for decay, placement in (
        ("none", "gradient"), ("none", "update"), ("l2", "gradient"), ("l2", "decayed-gradient"),
        ("l2", "update"), ("decoupled", "gradient"), ("decoupled", "update"),
        ("decoupled", "decayed-update"),
    )
)  # fmt: skip
#: Decays and placements by which a decay acts beside the update, and by which all is Φ(·).
BESIDE = (("decoupled", "gradient"), ("decoupled", "update"))
CENTRALIZED = (("none", "gradient"), ("l2", "decayed-gradient"), ("decoupled", "gradient"))
#: Mistakes that only a port of Adam can make.
OF_ADAM = (
    "second-moment-raw", "bias-correction-missing", "decay-distorted", "moment-centralized",
)  # fmt: skip
#: What a wrong port may make of the learning rate, given its momentum (or β1).
RATES = {
    "": lambda lr, beta: lr,
    "lr never applied": lambda lr, beta: 1.0,
    "lr applied three times": lambda lr, beta: lr**3,
    "the root of lr": lambda lr, beta: math.sqrt(lr),
    "lr (1 - momentum)": lambda lr, beta: lr * (1 - beta),
    "lr / (1 - momentum)": lambda lr, beta: lr / (1 - beta),
    "lr momentum": lambda lr, beta: lr * beta,
    "half of lr": lambda lr, beta: lr / 2,
    "twice lr": lambda lr, beta: lr * 2,
    "uphill": lambda lr, beta: -lr,
}


@dataclass(frozen=True)
class Reading:
    """What a port may do: a semantics, and what it makes of the learning rate."""

    semantics: Semantics
    rate: str = ""

    @property
    def right(self):
        return not self.rate and not self.semantics.deviations

    @property
    def of_step(self):
        """Whether it differs from a right one in the step, not in what is centralized."""
        return bool(self.rate or self.semantics.mistake)

    @property
    def name(self):
        s = self.semantics
        form = (s.centering, s.amount, s.vectors, s.gate, s.gate_number, s.schedule,
                s.schedule_number, s.mistake, self.rate)  # fmt: skip
        return " ".join(str(x) for x in form if x not in ("", "none", "mean", 0))

    def run(self, case, layout):
        hyper = dict(case.hyperparameters)
        beta = hyper.get("momentum", hyper.get("beta1"))
        hyper["lr"] = RATES[self.rate](hyper["lr"], beta)
        return training_loop(self.semantics, layout, bits=53)(replace(case, hyperparameters=hyper))


def readings(algorithm):
    """Every combination of conventions, with every form of every deviation and with none."""
    plain = Semantics(algorithm=algorithm)
    forms = [plain, replace(plain, gate="convolutions")]
    for form in FORMS.values():
        semantics = replace(form.semantics, algorithm=algorithm, conventions={})
        of_adam = semantics.mistake in OF_ADAM and algorithm != "adam"
        if semantics.deviations and not of_adam and semantics not in forms:
            forms.append(semantics)
    for step, decay in itertools.product(FORMS_OF_STEP[algorithm], DECAYS):
        for semantics in forms:
            yield Reading(replace(semantics, conventions=step | decay))
        for rate in filter(None, RATES):
            yield Reading(replace(plain, conventions=step | decay), rate)


def given(layout, algorithm, eps=None, layers=()):
    """The cases that a port with a formula is given, in float64; only some layers of them."""
    options = {"seed": 0, "algorithm": algorithm}
    found = [
        cases.integer_case(layout, eps=eps, **options),
        cases.bounded_case(layout, steps=4, **options),
        cases.decay_case(layout, eps=eps, **options),
    ]
    if layers:
        found = [cases.part_of(case, layers, case.id) for case in found]
    return [_wide(case) for case in found]


def _wide(case):
    parameters = tuple(replace(p, value=p.value.astype(np.float64)) for p in case.parameters)
    gradients = tuple({k: g.astype(np.float64) for k, g in step.items()} for step in case.gradients)
    return replace(case, parameters=parameters, gradients=gradients)


def trajectory(reading, given, layout):
    """All numbers that a port of this reading answers, in one row."""
    with np.errstate(all="ignore"):
        runs = [reading.run(case, layout) for case in given]
    return np.concatenate([np.ravel(w) for run in runs for step in run for w in step.values()])


def allowed(reading, given, layout):
    """How far off a correct port of this reading may be, number by number."""
    profile = bounds.profile("float32", hyperparameters="float32")
    choice, algorithm = dict(reading.semantics.conventions), reading.semantics.algorithm
    found = []
    for case in given:
        hyper = case.hyperparameters
        options = {"lr": hyper["lr"], "placement": choice["placement"], "profile": profile}
        if choice["decay"] != "none":
            options |= {"decay": choice["decay"], "weight_decay": hyper["weight_decay"]}
        if algorithm == "sgdm":
            damped = {"ema": None, "heavy-ball": 0.0}[choice["momentum"]]
            options |= {"momentum": hyper["momentum"], "dampening": damped}
            options["first_momentum"] = choice["first_momentum"]
        else:
            options |= {k: hyper[k] for k in ("beta1", "beta2", "eps")}
            options["epsilon"] = choice["epsilon"]
        infos = parameter_infos({p.name: p.shape for p in case.parameters}, OUTPUT_AXIS[layout])
        taus = []
        for p in case.parameters:
            axes = output_axes(p.kind, len(p.shape), layout=layout)
            axes = axes if reading.semantics.in_scope(infos[p.name]) else None
            grads = [g[p.name] for g in case.gradients]
            taus.append(getattr(bounds, algorithm)(p.value, grads, output_axis=axes, **options))
        found += [np.ravel(tau) for step in zip(*taus, strict=True) for tau in step]
    return np.concatenate(found)


def alike(every, data, layout):
    """Pairs of a right reading and another one that no number of any case tells apart."""
    rows = np.stack([trajectory(reading, data, layout) for reading in every])
    for reading, row in zip(every, rows, strict=True):
        if reading.right:
            most = 2 * allowed(reading, data, layout)
            same = np.all(np.abs(rows - row) <= most, axis=1)
            yield from ((reading, every[i]) for i in np.flatnonzero(same) if every[i] != reading)


def essence(reading):
    """A reading without what no data can show, or these cases need not: each with its reason."""
    s, rate = reading.semantics, reading.rate
    choice = dict(s.conventions)
    if s.centering == "nan-leak":  # shows where a gradient holds a NaN: scope/slices-isolated
        s = replace(s, centering="mean")
    if s.value_gate == "finite":  # so does this one
        s = replace(s, value_gate="")
    if s.schedule_number > 4:  # shows after more steps: the long case
        s = replace(s, schedule="", schedule_number=0)
    decay, placement = choice["decay"], choice["placement"]
    if s.mistake == "decay-distorted" and (decay, placement) not in BESIDE:
        s = replace(s, mistake="")  # there is no decay beside the update that it could distort
    if s.mistake == "second-moment-raw" and placement in ("update", "decayed-update"):
        s = replace(s, mistake="")  # where Φ acts on the update both moments are raw
    if s.mistake == "moment-centralized" and (decay, placement) in CENTRALIZED:
        s = replace(s, mistake="")  # the moments are those of Φ(·), and Φ of Φ is Φ
    if s.algorithm == "sgdm":
        # SGDM is linear: Φ of the sum of gradients is the sum of their Φ.
        if decay != "l2" and placement == "update":
            choice["placement"] = "gradient"
        elif placement == "update":
            choice["placement"] = "decayed-gradient"
        # An average that starts at 0 is 1 - momentum times the sum.
        averages = {"lr (1 - momentum)": 1, "lr / (1 - momentum)": -1, "": 0}
        scaled = choice["first_momentum"] == "zero" and choice["decay"] != "decoupled"
        if scaled and rate in averages:
            rate = averages[rate] + (choice.pop("momentum") == "ema")
    return replace(s, conventions={}), rate, choice


def unexplained(every, data, layout):
    """Pairs that are alike for no reason, in words."""
    for one, other in alike(every, data, layout):
        if essence(one) != essence(other):
            names = (
                "/".join(r.semantics.conventions.values()) + f" {r.name}" for r in (one, other)
            )
            yield " = ".join(names)


if __name__ == "__main__":
    for layout, (algorithm, eps) in itertools.product(
        OUTPUT_AXIS, (("sgdm", None), ("adam", None), ("adam", 0.5))
    ):
        every = list(readings(algorithm))
        found = list(unexplained(every, given(layout, algorithm, eps), layout))
        print(f"{layout}, {algorithm}, eps {eps}: {len(every)} readings, {len(found)} unexplained")
        print("".join(f"    {pair}\n" for pair in found), end="")
