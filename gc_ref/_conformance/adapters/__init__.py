"""Adapters: each drives a port through the real training loop of its framework."""
