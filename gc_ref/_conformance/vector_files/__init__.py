"""Files of vectors: how they are made, read, verified, and added to."""
