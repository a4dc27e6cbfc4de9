"""What the paper's theorems say, measured on trained networks."""

import keras
import numpy as np

from gc_study.arms import centralized

#: γ of Theorem 4.1: what is added to every pixel.
GAMMA = 0.5


class Recorder(keras.optimizers.Optimizer):
    """Change nothing, but keep the gradients: Keras computes them the same on every backend."""

    def __init__(self):
        super().__init__(learning_rate=0.0)

    def build(self, variables):
        super().build(variables)
        self.gradients = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient, variable, learning_rate):
        self.assign(self.gradients[self._get_variable_index(variable)], gradient)


class GradientProbe:
    """The gradient of the loss over many images at once, without dropout."""

    def __init__(self, model, labelled, most=256):
        self.model = model
        self.images, self.labels = (part[:most] for part in labelled)
        model.compile(Recorder(), loss="binary_crossentropy")

    def gradients(self, weights):
        """Return the gradient of each kernel at these weights, by name."""
        self.model.set_weights(weights)
        self.model.train_on_batch(self.images, self.labels)
        found = [variable.numpy() for variable in self.model.optimizer.gradients]
        return dict(zip(names(self.model), found, strict=True))


def names(model):
    """Name each weight by the number of its layer: conv1.kernel, …, dense2.bias."""
    layers = [layer for layer in model.layers if layer.weights]
    kinds = ["conv" if isinstance(x, keras.layers.Conv2D) else "dense" for x in layers]
    numbered = [f"{kind}{kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]
    return [f"{name}.{part}" for name in numbered for part in ("kernel", "bias")]


def norms(gradients):
    """‖g‖ and ‖Φ(g)‖ of each kernel and of all kernels together (Theorem 4.2)."""
    pairs = {
        name.removesuffix(".kernel"): [_norm(g), _norm(centralized(g.astype("float64")))]
        for name, g in gradients.items()
        if g.ndim > 1
    }
    return {**pairs, "all": [_norm(side) for side in zip(*pairs.values(), strict=True)]}


def drift(model, before, after):
    """How far each kernel moved along e, the direction that GC takes away (the constraint).

    ``share`` is the part of the movement's norm that lies along e: 0 if 1ᵀw of every filter
    stays, 1 if nothing else changes. ``sum`` is the largest change of 1ᵀw of a filter.
    """
    found = {}
    for name, old, new in zip(names(model), before, after, strict=True):
        if old.ndim > 1:
            moved = (new.astype("float64") - old).reshape(-1, old.shape[-1])
            along = moved.sum(axis=0) / np.sqrt(len(moved))
            found[name.removesuffix(".kernel")] = {
                "share": _norm(along) / _norm(moved) if moved.any() else 0.0,
                "sum": float(np.abs(moved.sum(axis=0)).max()),
            }
    return found


def intensity_shift(before, after, images):
    """Change of the first layer's output when γ is added to every pixel (Theorem 4.1).

    Before its bias and activation, and without padding, whose pixels do not get brighter. As the
    theorem has it, corrected: w(x + γ) − wx = γ1ᵀw⁰ for all t. ``moved`` is the largest distance
    of a filter's change from γ1ᵀw⁰, in units of the root mean square of γ1ᵀw⁰ over the filters.
    """
    predicted = GAMMA * before[0].astype("float64").sum(axis=(0, 1, 2))
    unit = np.sqrt(np.mean(predicted**2))
    change = np.asarray(_convolved(images + np.float32(GAMMA), after[0]), dtype="float64")
    change -= _convolved(images, after[0])
    return {
        "rms": float(np.sqrt(np.mean(change**2))) / unit,
        "moved": float(np.abs(change - predicted).max()) / unit,
    }


def _convolved(images, kernel):
    return keras.ops.convert_to_numpy(keras.ops.conv(images, kernel, padding="valid"))


def _norm(array):
    return float(np.linalg.norm(np.asarray(array)))
