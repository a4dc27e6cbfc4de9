"""Which hyperparameters a factory takes, and under which names it wants them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from gc_ref._conformance.ports.port import PortLoadError

#: Canonical name -> the names that published optimizers give it, most usual first.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "lr": ("lr", "learning_rate", "step_size", "alpha"),
    "momentum": ("momentum",),
    "beta1": ("beta1", "beta_1", "b1"),
    "beta2": ("beta2", "beta_2", "b2"),
    "eps": ("eps", "epsilon"),
    "weight_decay": ("weight_decay",),
}

#: No optimizer has this argument: a factory that accepts it swallows any keyword.
_NONSENSE = "gc_ref_no_such_argument"


@dataclass(frozen=True)
class Signature:
    """How to hand canonical hyperparameters to one factory."""

    names: Mapping[str, str]  # canonical name -> the factory's own argument name
    betas: bool  # whether the factory wants both decay rates as one tuple ``betas``
    fixed: Mapping[str, float]  # those that the user's settings fix to a number
    settled: frozenset[str]  # those that the settings fix to anything, such as a schedule

    @property
    def takes(self) -> frozenset[str]:
        """Canonical hyperparameters that can be chosen."""
        both = {"beta1", "beta2"} if self.betas else set()
        return frozenset({*self.names, *both} - self.settled)

    def arguments(
        self, hyperparameters: Mapping[str, float], settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the keyword arguments for the factory; the user's settings win."""
        chosen = {k: v for k, v in hyperparameters.items() if k in self.takes}
        arguments: dict[str, Any] = {}
        if self.betas and {"beta1", "beta2"} <= set(chosen):
            arguments["betas"] = (chosen.pop("beta1"), chosen.pop("beta2"))
        arguments |= {self.names[k]: v for k, v in chosen.items() if k in self.names}
        return arguments | dict(settings)


def read_signature(
    factory: Callable[..., Any],
    settings: Mapping[str, Any],
    *,
    probe: Callable[[dict[str, Any]], bool],
    skip: int = 0,
) -> Signature:
    """Find out which hyperparameters an optimizer class or factory function takes.

    Parameters
    ----------
    factory : callable
        Optimizer class or factory function.
    settings : mapping
        Arguments that the user fixes. One that the factory lacks raises PortLoadError.
    probe : callable
        ``probe(arguments)`` tells whether the factory can be called with these
        keyword arguments. Asked only where the signature ends in ``**kwargs``.
    skip : int
        Number of leading positional arguments that are not hyperparameters (``params``).

    Examples
    --------
    >>> def adam(params, lr=1e-3, betas=(0.9, 0.999)): ...
    >>> found = read_signature(adam, {}, probe=lambda arguments: True, skip=1)
    >>> found.arguments({"lr": 0.5, "beta1": 0.25, "beta2": 0.75, "momentum": 0.5}, {})
    {'betas': (0.25, 0.75), 'lr': 0.5}
    """
    named, open_ended = named_arguments(factory, skip)
    unknown = [] if open_ended else [name for name in settings if name not in named]
    if unknown:
        label = getattr(factory, "__name__", repr(factory))
        raise PortLoadError(
            f"{label} takes no argument {unknown[0]!r}; it takes: {', '.join(named) or 'none'}"
        )
    single = {n for n, default in named.items() if not isinstance(default, (tuple, list, str))}
    names = {c: next((a for a in al if a in single), "") for c, al in ALIASES.items()}
    betas = "betas" in named and _is_pair(named["betas"])
    if open_ended:
        betas = _ask(probe, names, settings, betas=betas, betas_named="betas" in named)
    if betas:
        names["beta1"] = names["beta2"] = ""
    names = {c: a for c, a in names.items() if a}
    chosen = {c: settings[a] for c, a in names.items() if a in settings}
    if betas and "betas" in settings:
        pair = settings["betas"]
        pair = pair if isinstance(pair, (tuple, list)) else (None, None)
        chosen |= dict(zip(("beta1", "beta2"), pair, strict=False))
    fixed = {c: float(value) for c, value in chosen.items() if isinstance(value, Real)}
    return Signature(names, betas, fixed, frozenset(chosen))


def require_lr(signature: Signature, label: str) -> None:
    """Raise PortLoadError unless the factory ``label`` has a learning rate, chosen or set."""
    if "lr" not in signature.names:
        raise PortLoadError(
            f"{label} takes no learning rate; looked for an argument named "
            f"{', '.join(ALIASES['lr'])}. Give it one of these names, or wrap it in a factory; "
            "a function of a gradient alone is an operator"
        )


def named_arguments(factory: Callable[..., Any], skip: int) -> tuple[dict[str, Any], bool]:
    """Return arguments by name with their defaults, and whether ``**kwargs`` lets in more.

    The first ``skip`` positional ones are left out. The default of a required argument is
    ``inspect.Parameter.empty``. Where the signature cannot be read, anything may be let in.

    Examples
    --------
    >>> named_arguments(lambda params, lr=0.5, **kwargs: None, 1)
    ({'lr': 0.5}, True)
    """
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):  # builtins without a signature
        return {}, True
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    skipped = {p.name for p in positional[:skip]}
    named = {
        p.name: p.default
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in skipped
    }
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _is_pair(default: Any) -> bool:
    return default is inspect.Parameter.empty or (
        isinstance(default, (tuple, list)) and len(default) == 2
    )


def _ask(
    probe: Callable[[dict[str, Any]], bool],
    names: dict[str, str],
    settings: Mapping[str, Any],
    *,
    betas: bool,
    betas_named: bool,
) -> bool:
    """Find by calling what ``**kwargs`` lets through: fill in ``names``, and return ``betas``.

    A factory that swallows any keyword would seem to take everything. Of such a one only the
    learning rate, and what the user sets, is looked for behind ``**kwargs``.
    """

    def accepts(argument: str, value: Any = 0.5) -> bool:
        rate = {names["lr"]: 0.5} if names["lr"] else {}
        return probe({**rate, argument: value, **settings})

    def find(canonical: str) -> str:
        return next((a for a in ALIASES[canonical] if a in settings or accepts(a)), "")

    names["lr"] = names["lr"] or find("lr")
    if accepts(_NONSENSE):
        for canonical, aliases in ALIASES.items():
            names[canonical] = names[canonical] or next((a for a in aliases if a in settings), "")
        return betas
    betas = betas or (not betas_named and accepts("betas", (0.5, 0.75)))
    for canonical in ALIASES:
        if not names[canonical] and not (betas and canonical.startswith("beta")):
            names[canonical] = find(canonical)
    return betas
