"""The second witness, in exact rational scalars; its public face is `gc_ref.exact`.

`arrays` has arrays of rational numbers and Eq. 1 on them; `rounding` the floating-point
formats and correct rounding to them; `intervals` the enclosures of what is irrational or
too long, βᵗ among them; `optimizers` Algorithm 1 (SGDM) and Algorithm 2 (Adam).
Nothing here imports the array code.
"""
