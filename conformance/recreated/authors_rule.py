"""The rule of the authors' code, which many took over: the mean over all axes but the first."""


def centralize_(x, more_than=1):
    """Centralize a tensor of more than so many dimensions in place."""
    if x.ndim > more_than:
        x.sub_(x.mean(dim=tuple(range(1, x.ndim)), keepdim=True))
