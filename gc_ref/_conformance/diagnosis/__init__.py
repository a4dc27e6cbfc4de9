"""The search for the semantics of a port that fails a check."""
