"""Lists of known failures, and reports held against them."""
