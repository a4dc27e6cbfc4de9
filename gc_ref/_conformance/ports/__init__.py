"""What is judged (a port), what it is given (a case), what it answers (a trajectory)."""
