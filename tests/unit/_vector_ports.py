"""An optimizer and an operator that are right, for the tests of vectors."""

from gc_ref.conformance import numpy_port


def centralize(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def trainer(phi, wrong=lambda name, w, t: False):
    """SGD with heavy-ball momentum; where ``wrong`` says so the step is too long."""

    def run(case):
        weights = {p.name: p.value for p in case.parameters}
        moments = {k: 0 * w for k, w in weights.items()}
        lr, beta = case.hyperparameters["lr"], case.hyperparameters["momentum"]
        steps = []
        for t, grads in enumerate(case.gradients, 1):
            moments = {k: beta * m + phi(grads[k]) for k, m in moments.items()}
            weights = {
                k: w - (2 if wrong(k, w, t) else 1) * lr * moments[k] for k, w in weights.items()
            }
            steps.append(weights)
        return steps

    return run


def sgdm_port(run=None, **options):
    run = run or trainer(centralize)
    options = {"name": "mine", "algorithm": "sgdm"} | options
    return numpy_port(run, conventions={"momentum": "heavy-ball"}, **options)
