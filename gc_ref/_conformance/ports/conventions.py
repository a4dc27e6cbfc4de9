"""What a port may legitimately choose, and what each choice means."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gc_ref._conformance.writing.words import did_you_mean


@dataclass(frozen=True)
class Convention:
    """One choice that ports make: its values, each with its meaning in a few words."""

    field: str
    values: Mapping[str, str]


CONVENTIONS: Mapping[str, Convention] = {
    field: Convention(field, values)
    for field, values in {
        "layout": {
            "output-first": "axis 0 numbers the outputs",
            "output-last": "the last axis numbers the outputs",
        },
        "placement": {
            "gradient": "centralizes the gradient; L2 decay, if any, is added after "
            "(then it moves the weight sums: no weight constraint)",
            "decayed-gradient": "centralizes the gradient with its L2 decay "
            "(the weight constraint holds under SGD and SGDM)",
            "update": "centralizes the final direction of the step (the weight constraint holds "
            "for every optimizer, but for a decoupled decay, which moves the weight sums)",
            "decayed-update": "centralizes the final direction with its decoupled decay "
            "(the weight constraint holds for every optimizer)",
        },
        "momentum": {
            "ema": "m = beta m + (1 - beta) g, Algorithm 1",
            "heavy-ball": "m = beta m + g, as PyTorch",
            "velocity": "v = beta v - lr g, as Keras; equal to heavy-ball at a constant lr",
        },
        "first_momentum": {
            "zero": "the momentum starts at 0, Algorithm 1",
            "gradient": "the momentum starts as the first gradient, as PyTorch",
        },
        "epsilon": {
            "outside": "m^ / (sqrt(v^) + eps), Algorithm 2",
            "hat": "the bias corrections scale the step, eps is added to sqrt(v), as Keras",
        },
        "decay": {
            "none": "takes no weight decay",
            "l2": "weight decay is added to the gradient",
            "decoupled": "weight decay shrinks the weight beside the step, as AdamW",
        },
        "scope": {
            "all": "every weight of two or more dimensions",
            "conv-only": "weights of convolutions only (GCC)",
        },
        "fan_in_one": {
            "erase": "the gradient of a weight with one input becomes 0, Eq. 1 as written",
            "keep": "a weight with one input is left alone",
        },
        "axes_rule": {
            "by-rank": "one rule for every weight, whatever its layer",
            "by-kind": "the true outputs of depthwise, transposed, embedding and attention weights",
        },
    }.items()
}


@dataclass(frozen=True)
class Conventions:
    """The conventions that a port is held to: field to (value, source).

    Attributes
    ----------
    values : mapping
        Field to value, for every field that was declared or could be seen.
    sources : mapping
        Field to ``"declared"``, ``"inferred"``, or ``"nearest"``: what comes nearest to the
        port where no reading is within its bound. That one is held to, and is not settled.
    """

    values: Mapping[str, str]
    sources: Mapping[str, str]

    def get(self, field: str) -> str:
        """Value of a field; its first value (the paper's own) where nothing showed it."""
        return self.values.get(field, next(iter(CONVENTIONS[field].values)))

    def with_inferred(self, found: Mapping[str, str], source: str = "inferred") -> Conventions:
        """Add what was inferred, or comes nearest; what was declared or inferred stays."""
        new = {k: v for k, v in found.items() if self.sources.get(k, "nearest") == "nearest"}
        return Conventions({**self.values, **new}, {**self.sources, **dict.fromkeys(new, source)})

    @property
    def nearest(self) -> dict[str, str]:
        """What is not settled: the values that come nearest, in the contract's order."""
        return {f: self.values[f] for f in CONVENTIONS if self.sources.get(f) == "nearest"}

    def without(self, fields: Collection[str]) -> Conventions:
        """Drop some fields."""
        kept = {k: v for k, v in self.values.items() if k not in fields}
        return Conventions(kept, {k: self.sources[k] for k in kept})

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return the ``conventions`` object of the JSON report, fields in the contract's order.

        What is not settled is not among them.
        """
        return {
            f: {"value": self.values[f], "source": self.sources[f]}
            for f in CONVENTIONS
            if f in self.values and self.sources[f] != "nearest"
        }


#: Fields that are about the steps of one algorithm: they mean nothing for the other.
_OF_ONE_ALGORITHM = {"momentum": "sgdm", "first_momentum": "sgdm", "epsilon": "adam"}
_OF_STEPS = (*_OF_ONE_ALGORITHM, "placement", "decay")


def refuse_meaningless(
    declared: Mapping[str, str], algorithm: str | None, *, operator: bool
) -> None:
    """Raise ValueError for a convention about steps that the port does not take.

    An operator takes no steps; a port that follows ``algorithm`` takes none of the other one.

    Examples
    --------
    >>> refuse_meaningless({"momentum": "heavy-ball"}, "sgdm", operator=False)
    """
    for field in declared:
        if operator and field in _OF_STEPS:
            raise ValueError(f"convention {field} is about steps, and an operator takes none")
        owner = _OF_ONE_ALGORITHM.get(field)
        if owner and algorithm and owner != algorithm:
            raise ValueError(
                f"convention {field} is about algorithm {owner}, and the port is declared to "
                f"follow {algorithm}"
            )


def parse_conventions(declared: Mapping[str, str]) -> dict[str, str]:
    """Return declared conventions, field to value, if each of them exists.

    Raises
    ------
    ValueError
        For a field or a value that does not exist; the message lists those that do.

    Examples
    --------
    >>> parse_conventions({"momentum": "heavy-ball"})
    {'momentum': 'heavy-ball'}
    """
    for field, value in declared.items():
        if field not in CONVENTIONS:
            raise ValueError(
                f"unknown convention {field!r}; known: {', '.join(CONVENTIONS)}"
                f"{did_you_mean(field, CONVENTIONS)}"
            )
        known = CONVENTIONS[field].values
        if value not in known:
            raise ValueError(
                f"convention {field} has no value {value!r}; it has: {', '.join(known)}"
            )
    return dict(declared)
