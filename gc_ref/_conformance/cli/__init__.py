"""The command ``gc-ref``."""
