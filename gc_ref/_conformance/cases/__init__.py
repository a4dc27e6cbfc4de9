"""What ports are given and what is right: cases, exact values, comparison, frozen vectors."""
