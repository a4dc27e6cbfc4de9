"""Rounding-error bounds: how far a correct port may be from exact."""
