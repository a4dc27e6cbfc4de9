"""Wrong ports: the forms of the known deviations, as real optimizers of each framework."""
