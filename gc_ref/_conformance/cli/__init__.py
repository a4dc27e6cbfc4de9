"""The command `gc-ref`."""
