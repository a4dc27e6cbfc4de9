"""Known failures: the file, --expected, --accept, and the strict rules that they follow."""
