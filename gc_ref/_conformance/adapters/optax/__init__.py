"""optax transformations, driven through `jax.grad` and `apply_updates`."""
