"""What a check found, and the entry that a report has for it."""
