"""Does the oracle catch what is wrong, and accuse nobody who is right?

The ways of computing that the bounds are tested with, in ``tests/unit``, are shared.
"""

import sys
from pathlib import Path

_UNIT = str(Path(__file__).resolve().parents[1] / "unit")
if _UNIT not in sys.path:
    sys.path.append(_UNIT)
