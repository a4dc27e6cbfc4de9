"""ranger-adabelief 0.1.0: RAdam, AdaBelief and Lookahead, with ``use_gc``."""

from ranger_adabelief import RangerAdaBelief

__all__ = ["RangerAdaBelief"]
