"""The clauses of the paper as checks on plain arrays; their public face is `gc_ref.laws`.

`operator` has the laws of Φ as a function of a gradient, `matrix` those of a matrix P,
`trajectory` those of the weights after each step; `residuals` what they share: exact
arithmetic, and the comparison of a residual with what rounding can explain.
"""
