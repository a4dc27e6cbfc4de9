"""The catalogue as runnable ports, in each framework."""
