"""The second witness: the same clauses in exact rational scalars."""
