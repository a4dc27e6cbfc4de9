"""The clauses of the paper as checks on plain arrays."""
