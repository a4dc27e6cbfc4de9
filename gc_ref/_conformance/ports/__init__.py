"""What is judged, what it is given, what it answers; and what it may choose."""
