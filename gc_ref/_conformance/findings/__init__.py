"""What a check found: its outcome, its counterexample, its entry in the report."""
