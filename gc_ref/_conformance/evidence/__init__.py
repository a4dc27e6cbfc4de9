"""The numbers that the pictures of a report show, read off the runs of the checks."""
