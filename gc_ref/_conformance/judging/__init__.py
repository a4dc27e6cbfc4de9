"""The judge: runs a port on cases, and settles which algorithm and conventions it is held to."""
