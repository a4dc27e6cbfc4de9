"""The catalogue of known deviations: what each is, which clause it breaks, where it was seen.

Each has runnable forms, of which `wrong_ports` makes ports that have it and nothing else wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gc_ref._conformance.catalogue.semantics import Semantics

__all__ = ["ABSURD", "CONTROL", "DEVIATIONS", "FORMS", "UNSEEN", "Deviation", "Form"]

#: Said of a deviation that was seen nowhere yet.
UNSEEN = "no published port that we know of"

#: Checks that see a mean that is left, or taken over the wrong elements.
MEAN = ("scope/every-weight", "value/exact", "law/zero-mean", "law/shift-invariant")
#: Checks that see what the optimizer does with Φ(g).
STEP = ("value/exact", "value/bounded", "step/sgdm", "step/adam")
#: The same, of what only Adam has.
ADAM = ("value/exact", "value/bounded", "step/adam")
VECTORS = ("scope/vectors-untouched", *STEP)
#: Suite of what was added last: no released vector names it.
NEXT = "2026.3"
#: Frameworks that a form can be written in, unless it says otherwise.
EVERYWHERE = ("numpy", "torch", "jax", "keras")


@dataclass(frozen=True)
class Form:
    """One runnable form of a deviation."""

    label: str  # tells the forms of a deviation apart; empty for the main one
    semantics: Semantics
    operator: bool = True  # whether a bare function of the gradient can have it
    frameworks: tuple[str, ...] = EVERYWHERE
    #: What is wrong beyond the semantics: ``"flag-ignored"`` (the switch of GC does nothing),
    #: ``"gradient-alias"`` (the momentum is the gradient's own buffer), ``"state-lost"`` (it is
    #: not in what is saved) or nothing.
    flaw: str = ""
    no_vector: str = ""  # why no frozen vector can show it, where none can
    seen: str | None = None  # where just this has been seen; the main one: as its deviation
    since: str = ""  # suite whose frozen vectors show it first; its deviation's, where empty
    deviation: str = ""  # its id

    @property
    def id(self) -> str:
        """Id of the deviation, with the label: ``"shape-gated/fan-in-32"``."""
        return f"{self.deviation}/{self.label}" if self.label else self.deviation

    @property
    def optimizer(self) -> str:
        """Which optimizer it looks like: sgd, sgd-with-switch, adam or adamw."""
        if self.semantics.algorithm == "adam":
            return "adamw" if "decay" in self.semantics.conventions else "adam"
        return "sgd-with-switch" if self.flaw == "flag-ignored" else "sgd"


@dataclass(frozen=True)
class Deviation:
    """One entry of the catalogue.

    Attributes
    ----------
    id : str
        Immutable once released.
    sentence : str
        What such a port does.
    clause : str
        What it breaks.
    seen : str
        Where it has been seen; empty where it is only feared.
    checks : tuple of str
        Checks that are there to find it: two of them must, or one and ``only``. Each of them
        does in some form of it, under one algorithm or the other.
    forms : tuple of Form
        Runnable forms, the main one first.
    only : str
        Why a single check can find it, where that is so.
    since : str
        Suite whose frozen vectors name it first: released vectors never change.

    Examples
    --------
    >>> DEVIATIONS["lr-twice"].sentence
    'the learning rate is applied twice'
    """

    id: str
    sentence: str
    clause: str
    seen: str
    checks: tuple[str, ...]
    forms: tuple[Form, ...]
    only: str = ""
    since: str = "2026.1"


def _at(centering: str, amount: float = 0.0, label: str = "", *, vectors: str = "none",
        frameworks: tuple[str, ...] = EVERYWHERE, since: str = "") -> Form:  # fmt: skip
    semantics = Semantics(centering=centering, amount=amount, vectors=vectors)
    return Form(label, semantics, frameworks=frameworks, since=since)


def _gated(gate: str, number: int, label: str = "", *, seen: str | None = None) -> Form:
    return Form(label, Semantics(gate=gate, gate_number=number), seen=seen)


def _of_kind(gate: str, label: str = "", *, no_vector: str = "") -> Form:
    # PyTorch hands an optimizer no names.
    return Form(label, Semantics(gate=gate), operator=False, frameworks=("numpy", "jax", "keras"),
                no_vector=no_vector)  # fmt: skip


def _by_value(gate: str, number: float = 0, label: str = "", *, no_vector: str = "") -> Form:
    semantics = Semantics(value_gate=gate, value_gate_number=number)
    return Form(label, semantics, no_vector=no_vector)


def _over_steps(centering: str, amount: float, label: str) -> Form:
    semantics = Semantics(centering=centering, amount=amount)
    return Form(label, semantics, operator=False, since=NEXT)


def _when(schedule: str, number: int, label: str = "") -> Form:
    return Form(label, Semantics(schedule=schedule, schedule_number=number), operator=False)


def _step(mistake: str, algorithm: str = "adam", label: str = "", *, no_vector: str = "",
          **conventions: str) -> Form:  # fmt: skip
    semantics = Semantics(mistake=mistake, algorithm=algorithm, conventions=conventions)
    return Form(label, semantics, operator=False, no_vector=no_vector)


_ALL = (
    Deviation(
        "not-applied", "GC has no effect on the step: it is not called, its result is not "
        "used, or it comes too late", "Eq. 1",
        "the Keras code example, gradient-centralization-tf, most optimizers of pytorch_optimizer, "
        "whose use_gc makes no difference",
        ("effect/on", *MEAN), (_at("none"),),
    ),
    Deviation(
        "layout-swapped", "the mean is taken over the axes of the other layout", "Eq. 1",
        "optax.centralize on Flax kernels, flaxOptimizers, NoteDance's Keras optimizers, an early "
        "MindSpore", (*MEAN, "scope/slices-isolated"), (_at("other-layout"),),
    ),
    Deviation(
        "partial-axes", "the mean is not taken over just the axes of the inputs", "Eq. 1",
        "",
        ("scope/every-weight", "value/exact", "law/zero-mean"),
        (_at("window"), _at("channels", label="channels"), _at("outputs", label="outputs"),
         _at("outputs-and-window", label="outputs-and-window"),
         _at("far-axis", label="far-axis"),
         _at("window-of-convolutions", label="window-of-convolutions", since=NEXT)),
    ),
    Deviation(
        "whole-tensor", "one mean is taken over the whole weight", "Eq. 1",
        "optirs-core and tensorlogic-train (Rust), TensorFlow's reduce_mean(grad)",
        (*MEAN, "scope/slices-isolated"), (_at("whole"),),
    ),
    Deviation(
        "all-parameters", "one mean is taken over all parameters of the model", "Eq. 1; Scope", "",
        ("value/exact", "law/zero-mean", "law/shift-invariant", "scope/parameters-isolated"),
        (Form("", Semantics(centering="model", vectors="mean"), operator=False,
               no_vector="a vector is one weight: one mean of the whole model is one of that "
               "weight"),),
    ),
    Deviation(
        "vectors-too", "biases and norm scales lose their own mean", "Scope",
        "DemonRanger, optirs-core, torchzero's default", VECTORS,
        (_at("mean", vectors="mean"),
         Form("long", Semantics(vectors="mean", vectors_above=3), since=NEXT)),
    ),
    Deviation(
        "vectors-erased", "biases, norm scales and scalars get a gradient of 0", "Scope",
        "NumPy's axis=(), which averages nothing: g - g", VECTORS,
        (_at("mean", vectors="erase"),
         _at("mean", label="not-scalars", vectors="erase-vectors", since=NEXT)),
    ),
    Deviation(
        "shape-gated", "weights of some shapes are left alone", "Scope",
        "darknet (filter sizes that are no multiple of the warp size), MindSpore (second "
        "dimension divisible by 16)", ("scope/every-weight", "value/exact", "step/constraint"),
        (_gated("second-dimension-multiple", 16, seen="MindSpore"),
         _gated("fan-in-multiple", 32, "fan-in-32", seen="darknet"),
         _gated("size-above", 1000, "large-only"), _gated("size-at-most", 512, "small-only"),
         _gated("fan-in-above", 4, "fan-in-above-4"), _gated("outputs-above", 1, "one-output"),
         _gated("not-square", 0, "square")),
    ),
    Deviation(
        "rank-gated", "weights of some number of dimensions are left alone", "Scope",
        "gc_conv_only by rank, which misses Conv1D", ("scope/every-weight", "value/exact"),
        (_gated("rank-above", 3), _gated("rank-is-not", 3, "conv1d"),
         _gated("rank-is-not", 5, "conv3d"), _gated("rank-at-most", 2, "dense-only")),
    ),
    Deviation(
        "mean-broadcast-wrong", "the means are laid along the wrong axis of square weights",
        "Eq. 1", "tenflowers (keepdims dropped)", MEAN, (_at("broadcast"),),
    ),
    Deviation(
        "offset", "a constant is added to the centralized gradient", "Eq. 1",
        "a Caffe fork, whose CPU path adds 1 - mean",
        ("scope/every-weight", "value/exact", "law/zero-mean"),
        (_at("offset", 1.0), _at("offset", -0.01, "small")),
    ),
    Deviation(
        "scaled", "the centralized gradient is scaled", "Eq. 2",
        "Ranger21, which divides by the standard deviation",
        ("value/exact", "law/idempotent", "law/linear", "law/orthogonal", "scope/every-weight"),
        (_at("divided-by-weight"), _at("divided-by-neuron", label="neuron"),
         _at("scaled", 0.5, "half"), _at("scaled", 1.01, "one-percent")),
    ),
    Deviation(
        "partial", "another share of the mean than all of it is removed, or it is removed from "
        "part of the model", "Eq. 1", "", MEAN,
        (_at("partial", 0.5), _at("partial", 0.999, "999"), _at("partial", -1.0, "added"),
         _over_steps("phased-in", 0.1, "phased-in"),
         _over_steps("phased-in-after", 0.1, "phased-in-after"),
         _over_steps("phased-out", 0.125, "phased-out"),
         _over_steps("fading-after", 0.9, "fading"),
         Form("group", Semantics(gate="first-part"), operator=False,
               no_vector="a vector is one weight, and no part of a model is left out"),
         Form("last", Semantics(gate="not-the-last"), operator=False,
               no_vector="a vector is one weight: it has no order")),
    ),
    Deviation(
        "wrong-divisor", "the sum is divided by another number than the fan-in", "Eq. 1", "",
        MEAN,
        (_at("fan-in-1"), _at("fan-in+1", label="plus-one"), _at("sum", label="sum"),
         _at("divided-by-size", label="size"), _at("divided-by-root", label="root"),
         _at("divided-by-outputs", label="outputs")),
    ),
    Deviation(
        "not-the-mean", "another value than the mean is subtracted", "Eq. 1", "",
        (*MEAN, "law/linear"),
        (_at("first-input"), _at("magnitude", label="magnitude"), _at("rms", label="rms"),
         _at("midrange", label="midrange"),
         _at("median", label="median", frameworks=("numpy",))),
    ),
    Deviation(
        "stale-mean", "the mean subtracted is that of another gradient than the one given",
        "Eq. 1", "NoteDance's Ranger21, which subtracts the mean of the unclipped gradient",
        MEAN,
        (Form("", Semantics(centering="stale"), operator=False, seen=""),
         _over_steps("running-mean", 0.9, "running"),
         _over_steps("running-mean-from-first", 0.9, "running-from-first")),
    ),
    Deviation(
        "low-precision-mean", "the mean is rounded to half precision", "Eq. 1",
        "",
        ("value/bounded", "value/exact", "law/zero-mean", "law/shift-invariant", "law/linear"),
        (_at("bfloat16-mean"), _at("float16-mean", label="float16"),
         _at("bfloat16-gradient", label="bfloat16-gradient", since=NEXT),
         _at("float16-gradient", label="float16-gradient", since=NEXT)),
    ),
    Deviation(
        "first-shape-axes", "the axes of the model's first weight are averaged in every weight",
        "Eq. 1", "torchzero", MEAN,
        (Form("", Semantics(centering="first-shape"), operator=False,
               no_vector="a vector is one weight, and that is the model's first"),),
    ),
    Deviation(
        "kind-gated", "weights of some kinds of layers, or of some names, are left alone", "Scope",
        "", ("scope/every-weight", "value/exact", "step/constraint"),
        (_of_kind("no-embedding", no_vector="no vector is of an embedding"),
         _of_kind("no-dense", "dense")), since=NEXT,
    ),
    Deviation(
        "value-gated", "it depends on the values of a gradient whether a weight is centralized",
        "Eq. 1", "", ("scope/slices-isolated", *MEAN, "value/bounded", "law/linear"),
        (_by_value("norm-at-most", 60.0), _by_value("norm-above", 60.0, "norm-above"),
         _by_value("finite", label="finite", no_vector="every vector is finite")), since=NEXT,
        only="where all gradients are finite a port that asks for that is right",
    ),
    Deviation(
        "clipped-first", "the gradient is clipped before it is centralized", "Base law",
        "Ranger21's adaptive clipping (the paper's author calls the order of the two a matter of "
        "choice: issue 5 of his repository)",
        ("scope/vectors-untouched", "scope/every-weight", "scope/parameters-isolated",
         "value/exact", "value/bounded", "law/linear"),
        (replace(_at("clipped-norm", 1.0), seen=""), _at("clipped-value", 5.0, "value"),
         Form("model", Semantics(centering="clipped-model-norm", amount=1.0), operator=False,
               no_vector="a vector is one weight, with no model around it")), since=NEXT,
    ),
    Deviation(
        "nan-leak", "a NaN in one output neuron's gradient reaches the other neurons", "Eq. 1", "",
        ("scope/slices-isolated",), (_at("nan-leak"),),
        only="where all gradients are finite the port is right, and only the isolation case "
        "holds a NaN",
    ),
    Deviation(
        "intermittent", "GC is applied at some steps only", "Eq. 1", "",
        ("value/exact", "value/bounded", "scope/every-weight", "step/sgdm", "step/adam",
         "step/constraint", "step/theorem-4.1"),
        (_when("skips-every", 2), _when("skips-every", 3, "third"), _when("from", 2, "from-2"),
         _when("until", 2, "until-2"), _when("from", 3, "from-3"),
         _when("skips-every", 10, "tenth"), _when("until", 50, "until-50")),
        only="a port that is right at the first steps shows it in the long run alone",
    ),
    Deviation(
        "decay-distorted", "the weight decay is scaled by the bias-corrected step size",
        "Algorithm 2", "the authors' AdamW: ten times too much on the first step", ("step/adam",),
        (_step("decay-distorted", decay="decoupled"),),
        only="it shows under weight decay alone, and one case has any",
    ),
    Deviation(
        "state-aliased", "optimizer state is shared with a gradient or another parameter",
        "Algorithm 1", "",
        ("hygiene/state", *STEP),
        (_step("state-aliased", "sgdm",
               no_vector="a vector is one weight, with no other to share its state"),
         Form("gradient", Semantics(), operator=False, frameworks=("torch",),
               flaw="gradient-alias", no_vector="a file has no buffers that are used again")),
        only="an alias of the gradient shows only when its buffer is used again",
    ),
    Deviation(
        "state-lost", "state is lost when the optimizer is saved and restored", "Contract",
        "torchium's GradientCentralization", ("hygiene/checkpoint",),
        (Form("", Semantics(), operator=False, frameworks=("torch", "keras"), flaw="state-lost",
               no_vector="a file saves no optimizer"),), since=NEXT,
        only="until it is restored the port is right",
    ),
    Deviation(
        "moment-centralized", "the first moment is centralized in place, beside the update",
        "Algorithm 2", "the authors' RAdam, PlainRAdam and Ranger as they are by default", ADAM,
        (_step("moment-centralized", placement="update"),), since=NEXT,
    ),
    Deviation(
        "second-moment-raw", "the second moment is that of the raw gradient", "Algorithm 2", "",
        ADAM, (_step("second-moment-raw"),),
    ),
    Deviation(
        "lr-twice", "the learning rate is applied twice", "Algorithm 1",
        "the authors' PlainRAdam", STEP,
        (_step("lr-twice", "sgdm"), _step("lr-twice", label="adam")),
    ),
    Deviation(
        "bias-correction-missing", "the moments are not corrected for their start at zero",
        "Algorithm 2", "", ADAM, (_step("bias-correction-missing"),),
    ),
    Deviation(
        "base-dropped", "the optimizer that GC is added to is lost: the step is plain descent",
        "Algorithm 2", 'a "GCAdamW" that is plain SGD', STEP,
        (_step("base-dropped"), _step("base-dropped", "sgdm", "sgdm")),
    ),
    Deviation(
        "flag-ignored", "GC stays on when its switch is off", "Base law",
        "Ranger, Ranger21abel", ("effect/off",),
        (Form("", Semantics(), operator=False, flaw="flag-ignored",
               no_vector="a file has no switch"),),
        only="with the switch on the port is right",
    ),
    Deviation(
        "weights-centralized", "the weights are centralized instead of, or beside, the gradient",
        "Constraint", "", (*STEP, "step/constraint"),
        (_step("weights-centralized", "sgdm"), _step("weights-centralized", label="adam")),
    ),
)  # fmt: skip


def _completed(form: Form, of: Deviation) -> Form:
    seen = of.seen if form.seen is None and not form.label else form.seen
    return replace(form, deviation=of.id, seen=seen, since=form.since or of.since)


DEVIATIONS: Mapping[str, Deviation] = {
    d.id: replace(d, forms=tuple(_completed(f, d) for f in d.forms)) for d in _ALL
}
FORMS: Mapping[str, Form] = {p.id: p for d in DEVIATIONS.values() for p in d.forms}
#: A right port, which must not be accused, and one that is wrong in every parameter.
CONTROL = Form("", Semantics())
ABSURD = Form("", Semantics(centering="erase", vectors="erase"))
