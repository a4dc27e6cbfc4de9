"""ranger21 0.1.0: its Ranger21 (``using_gc``), and Ranger21abel (``use_gradient_centralization``).

Both want to know how long the training is: ``num_epochs`` and ``num_batches_per_epoch``.
"""

from ranger21 import Ranger21
from ranger21.rangerabel import Ranger21abel

__all__ = ["Ranger21", "Ranger21abel"]
