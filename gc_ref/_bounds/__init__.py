"""Rounding-error bounds; their public face, with the derivation, is `gc_ref.bounds`.

`profiles` has the arithmetic that a port may be granted; `balls` what is known of a port's
values, and the operations of optimizers on that; `centralize` the bound of one
centralization (Eq. 1, Eq. 2); `optimizers` those of SGDM (Algorithm 1) and Adam (Algorithm 2).
"""
