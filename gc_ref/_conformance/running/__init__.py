"""All checks on one port, or on every catalogued wrong port."""
