"""Reference implementation of Gradient Centralization, and an oracle for other ones.

`centralize` is Eq. 1 of the paper (arXiv 2004.01461), `projection` is Eq. 2,
`sgdm_step` is Algorithm 1 and `adam_step` is Algorithm 2, on any array that
array-api-compat knows.
"""

from ._adam import AdamState, adam_init, adam_step
from ._centralize import centralize, projection
from ._sgdm import SGDMState, sgdm_init, sgdm_step

__all__ = [
    "AdamState",
    "SGDMState",
    "__version__",
    "adam_init",
    "adam_step",
    "centralize",
    "projection",
    "sgdm_init",
    "sgdm_step",
]

__version__ = "0.2.0"
