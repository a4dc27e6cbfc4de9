"""What is known beforehand: the checks, the known deviations, and the semantics of ports."""
