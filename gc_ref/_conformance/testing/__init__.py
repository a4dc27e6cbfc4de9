"""The checks as tests of pytest."""
