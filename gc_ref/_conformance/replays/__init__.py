"""Programs that show a counterexample without gc-ref."""
