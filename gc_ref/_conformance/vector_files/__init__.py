"""Files of vectors: made, read, verified, and findings added to them."""
