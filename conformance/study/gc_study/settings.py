"""What a study consists of: its settings, and the fits that follow from them."""

from dataclasses import dataclass
from typing import NamedTuple

OPTIMIZERS = ("RMSprop", "SGDM", "Adam")
ARMS = ("plain", "example", "GC")
#: fresh: random weights; continued: from those that the plain fresh fit ended with, as in the
#: tutorial; fine-tuned: from weights trained on other classes, with a new last layer.
STARTS = ("fresh", "continued", "fine-tuned")


@dataclass(frozen=True)
class Settings:
    """One study. Equal settings on the same versions give the same figures."""

    data: str = "digits"
    optimizers: tuple[str, ...] = OPTIMIZERS
    seeds: int = 20
    epochs: int = 10
    batch: int = 32
    filters: int = 8
    #: Epochs on the other classes, before the fine-tuned fits.
    pretraining: int = 3


class Fit(NamedTuple):
    """One call of ``fit``."""

    seed: int
    optimizer: str
    start: str
    arm: str


def fits_of(settings, fine_tuning):
    """List every fit, in groups of one seed and one optimizer.

    The fine-tuned start has no arm of the example: the other two starts show what that does.
    """
    groups = []
    for seed in range(settings.seeds):
        for optimizer in settings.optimizers:
            group = [Fit(seed, optimizer, s, a) for s in ("fresh", "continued") for a in ARMS]
            if fine_tuning:
                group += [Fit(seed, optimizer, "fine-tuned", arm) for arm in ("plain", "GC")]
            groups.append(group)
    return groups
