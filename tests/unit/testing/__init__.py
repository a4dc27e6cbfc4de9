"""parametrize_with_checks and the pytest plugin."""
