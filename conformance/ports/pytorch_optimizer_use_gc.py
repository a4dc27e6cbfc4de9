"""pytorch_optimizer's optimizers that take ``use_gc``.

Each is judged with use_gc=True against itself with use_gc=False: that is its base.
"""

from pytorch_optimizer import AdaBelief, Adai, AdamP, Adan, Lion, RAdam, Ranger

__all__ = ["AdaBelief", "Adai", "AdamP", "Adan", "Lion", "RAdam", "Ranger"]
