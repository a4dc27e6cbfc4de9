"""What adapters share: calling other people's code, and reading their factories."""
