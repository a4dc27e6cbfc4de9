"""What everything that writes needs: numbers in words, whole files, and the optional libraries."""
