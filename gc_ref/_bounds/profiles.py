"""Arithmetic profiles: how finely a port computes, and what its formats can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gc_ref._exact.rounding import FORMATS, Format


@dataclass(frozen=True)
class Profile:
    """The arithmetic that a port is granted. Made by `profile`.

    Attributes
    ----------
    name : str
        Name in reports.
    dtype : str
        Storage dtype: gradients, centralized gradients and weights are rounded to it.
    unit_roundoff : float
        u, the unit roundoff of ``dtype``.
    accumulator : float
        u_a, the unit roundoff in which sums run (and, for half types, optimizer state).
    hyperparameters : float
        u_h, the unit roundoff in which hyperparameters are held.
    underflow : float
        η, the absolute error that underflow can add to one operation in ``dtype``: the
        smallest subnormal, or under flush-to-zero three times the smallest normal
        number (both operands and the result may be flushed).
    accumulator_underflow : float
        The same for one operation in the accumulator.
    largest, accumulator_largest : float
        Largest finite number of ``dtype`` and of the accumulator.
    """

    name: str
    dtype: str
    unit_roundoff: float
    accumulator: float
    hyperparameters: float
    underflow: float
    accumulator_underflow: float
    largest: float
    accumulator_largest: float


def profile(
    dtype: str,
    *,
    accumulator: str | None = None,
    hyperparameters: str | None = None,
    flush_to_zero: bool = False,
) -> Profile:
    """Profile of a port that stores in ``dtype``.

    Parameters
    ----------
    dtype : {"float16", "bfloat16", "float32", "float64"}
        Dtype of gradients and weights.
    accumulator : str, optional
        Dtype of sums. Default: float32 for the half types, else ``dtype``. For a half
        type it is also the dtype of the optimizer's state.
    hyperparameters : str, optional
        Dtype in which lr, the betas and the like are held. Default: float64.
    flush_to_zero : bool
        Whether subnormal operands and results are flushed to zero.

    Returns
    -------
    Profile

    Raises
    ------
    ValueError
        For an unknown dtype name.

    Examples
    --------
    >>> profile("bfloat16").accumulator == 2.0**-24
    True
    >>> profile("float32", hyperparameters="float32", flush_to_zero=True).name
    'float32 (hyperparameters float32, flush to zero)'
    """
    sums = accumulator or ("float32" if dtype in ("float16", "bfloat16") else dtype)
    hyper = hyperparameters or "float64"
    for name in (dtype, sums, hyper):
        if name not in FORMATS:
            raise ValueError(f"unknown dtype {name!r}; use one of {', '.join(FORMATS)}")
    stored, summed, held = FORMATS[dtype], FORMATS[sums], FORMATS[hyper]

    def tiny(form: Format) -> float:
        return 3 * 2.0**form.emin if flush_to_zero else 2.0**form.smallest

    def largest(form: Format) -> float:
        return (2 - 2.0 ** (1 - form.precision)) * 2.0**form.emax

    notes = [f"sums {sums}"] if accumulator else []
    notes += [f"hyperparameters {hyper}"] if hyperparameters else []
    notes += ["flush to zero"] if flush_to_zero else []
    return Profile(
        name=f"{dtype} ({', '.join(notes)})" if notes else dtype,
        dtype=dtype,
        unit_roundoff=2.0**-stored.precision,
        accumulator=2.0**-summed.precision,
        hyperparameters=2.0**-held.precision,
        underflow=max(tiny(stored), tiny(summed), tiny(held)),
        accumulator_underflow=tiny(summed),
        largest=largest(stored),
        accumulator_largest=largest(summed),
    )


#: No rounding at all: every bound is zero. For the zero-tolerance class.
EXACT = Profile("exact", "float64", 0.0, 0.0, 0.0, 0.0, 0.0, math.inf, math.inf)

#: The arithmetic that the bounds are themselves computed in.
FLOAT64 = profile("float64")
