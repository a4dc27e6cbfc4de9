"""Which semantics a port has that fails."""
