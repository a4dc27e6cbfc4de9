"""The catalogued deviations as ports that run, in each framework."""
