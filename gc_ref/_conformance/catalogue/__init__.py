"""What ports are seen to do: semantics, right and wrong, and the known deviations."""
