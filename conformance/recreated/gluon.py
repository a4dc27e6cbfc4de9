"""The optimizer SGDGCC of gradient-centralization-gluon (MXNet), re-created."""

import numpy as np


def sgdgcc(case):
    """Centralize weights of more than three dimensions; the decay is added after that."""
    given = case.hyperparameters
    momentum, decay = given.get("momentum", 0.0), given.get("weight_decay", 0.0)
    weights = {p.name: p.value for p in case.parameters}
    velocities = {name: np.zeros_like(w) for name, w in weights.items()}
    steps = []
    for t, gradients in enumerate(case.gradients):
        rate = case.rates[t] if case.rates else given["lr"]
        for name, w in weights.items():
            g = gradients[name]
            if g.ndim > 3:
                g = g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)
            velocities[name] = momentum * velocities[name] - rate * (g + decay * w)
            weights[name] = w + velocities[name]
        steps.append(dict(weights))
    return steps
