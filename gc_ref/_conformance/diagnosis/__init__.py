"""The diagnosis: which semantics a judged port has, and which known deviations that is."""
