"""Judge a port, or all of the catalogue."""
