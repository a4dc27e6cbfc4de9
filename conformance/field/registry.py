"""What the rows of pytorch_optimizer's whole list say of themselves: by rule, not by hand."""

from __future__ import annotations

import re
from dataclasses import replace

from field.judging import Outcome
from field.records import Row


def explained(old: Row, new: Row, outcome: Outcome) -> Row:
    """Give a row of the registry its sentences, unless it has them and is as it was."""
    same = all(getattr(old, n) == getattr(new, n) for n in ("verdict", "failed", "identified"))
    if not new.is_registry or (same and new.because):
        return new
    because, todo = sentences(new, outcome)
    return replace(new, because=because, todo=todo)


def ignores(row: Row) -> bool:
    """Whether it takes ``use_gc``, and steps as without it."""
    return bool({"not-applied", "flag-ignored"} & set(row.identified))


def sentences(row: Row, outcome: Outcome) -> tuple[str, str]:
    """What the optimizer does with ``use_gc=True``, and what its maintainer could do."""
    if row.verdict == "conforms":
        return "centralizes, then steps as without", ""
    if row.verdict == "undriven":
        if "takes no argument 'use_gc'" in outcome.said:
            return "refuses use_gc: it is an optimizer of PyTorch itself", ""
        reason = re.split(r"\.? (?:Way out:|Give it )", outcome.said)[0]
        return f"could not be driven: {reason}", ""
    if ignores(row):
        never = "" if "flag-ignored" in row.identified else "never centralizes: "
        return f"{never}use_gc makes no difference", "centralize if use_gc is set, or refuse it"
    return outcome.said or "deviates in a way that is not known", "see the failed checks"
