"""PyTorch optimizers, driven through `backward` and `step`."""
