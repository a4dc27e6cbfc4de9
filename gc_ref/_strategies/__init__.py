"""What the strategies of `gc_ref.strategies` draw from.

`layers` has the weights of real layers, `regimes` the hard regimes of their gradients,
`hyperparameters` those of SGDM and Adam.
"""
