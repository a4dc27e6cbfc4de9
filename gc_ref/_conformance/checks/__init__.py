"""The checks: what each holds a port to."""
