"""The command gc-ref: its exit statuses, its messages, its files."""
