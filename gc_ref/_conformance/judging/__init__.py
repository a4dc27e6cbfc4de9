"""Run a port on cases, and settle which algorithm and conventions it is held to."""
