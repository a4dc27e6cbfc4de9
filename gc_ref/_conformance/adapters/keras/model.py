"""A Keras model of real layers whose gradient is exactly the one it is fed with."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

from gc_ref._conformance.ports.case import Parameter

#: A layer, and the shape of its input.
_Made: TypeAlias = tuple[Any, tuple[int | None, ...]]


class Entry(NamedTuple):
    """What a model depends on of one parameter: all but its value."""

    layer: str
    kind: str  # of the layer
    role: str
    shape: tuple[int, ...]


def structure(parameters: Iterable[Parameter]) -> tuple[Entry, ...]:
    """Return what a model of these parameters is built from."""
    return tuple(Entry(p.layer, p.layer_kind or p.kind, p.role, p.shape) for p in parameters)


@functools.lru_cache(maxsize=8)
def build_model(home: ModuleType, layout: str, entries: tuple[Entry, ...], copy: int = 0) -> Any:
    """Build a model of real layers; a model of the same structure is built only once.

    Layers have the names that Keras gives in a new model (``conv2d_transpose``, ``dense_1``,
    ``multi_head_attention/query``). They store outputs last: for ``output-first`` a custom
    layer holds the weights.
    Models with different numbers ``copy`` are different models.

    Returns
    -------
    keras.Model
        Of ``home``, which is ``keras`` or the legacy ``tf_keras``. Its ``probe_variables`` maps
        ``layer.role`` to the variable, in the order of ``entries``. One sample of its input is
        all gradients of one step, end to end.
    """
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.layer, []).append(entry)
    layers: list[Any] = []
    found: dict[tuple[str, str], Any] = {}
    counted: Counter[str] = Counter()
    for name, members in grouped.items():
        made: dict[str, tuple[Any, Any]] = {}
        if layout == "output-last" and members[0].kind in _LAYERS:
            usual, make = _LAYERS[members[0].kind]
            number = counted[usual]
            made = _real_layer(home, f"{usual}_{number}" if number else usual, make, members)
            counted[usual] += bool(made)
        rest = [m for m in members if m.role not in made]
        own = _custom_layer(home, f"{name}_{rest[0].role}" if made else name, rest) if rest else {}
        for role, (layer, variable) in (made | own).items():
            found[name, role] = variable
            if not any(layer is known for known in layers):
                layers.append(layer)
    ordered = {f"{e.layer}.{e.role}": found[e.layer, e.role] for e in entries}
    return _model_class(home)(layers, ordered)


def _real_layer(
    home: ModuleType, name: str, make: Callable[..., _Made], members: list[Entry]
) -> dict[str, tuple[Any, Any]]:
    """Build the Keras layer that owns these weights: role -> (layer, variable), where it fits."""
    shapes, kind = {m.role: m.shape for m in members}, members[0].kind
    main = "kernel" if "kernel" in shapes else "scale"
    if main not in shapes:
        return {}
    for roles in ([main, "bias"], [main]):
        if not set(roles) <= set(shapes):
            continue
        options = {"name": name, "dtype": "float32"}
        if main == "kernel":  # the default draws random numbers, which JAX compiles per shape
            named = {"embedding": "embeddings", "depthwise": "depthwise"}.get(kind, "kernel")
            options[f"{named}_initializer"] = "zeros"
        layer, inputs = make(home.layers, shapes[main], "bias" in roles, options)
        if not layer.built:
            with _name_scope(home, name):
                layer.build(inputs)
        variables = list(layer.trainable_weights)
        if [tuple(v.shape) for v in variables] == [shapes[r] for r in roles]:
            return {role: (layer, v) for role, v in zip(roles, variables, strict=True)}
    return {}


def _name_scope(home: ModuleType, name: str) -> contextlib.AbstractContextManager[Any]:
    """Let the legacy tf_keras name weights as in a model that is called: ``dense/kernel``."""
    if hasattr(home, "ops"):
        return contextlib.nullcontext()
    import tensorflow as tf

    scope: contextlib.AbstractContextManager[Any] = tf.name_scope(name)
    return scope


def _custom_layer(home: ModuleType, name: str, members: list[Entry]) -> dict[str, tuple[Any, Any]]:
    """Build a custom layer for weights that no Keras layer has."""
    layer = home.layers.Layer(name=name, dtype="float32")
    made = {
        m.role: (layer, layer.add_weight(name=m.role, shape=m.shape, initializer="zeros"))
        for m in members
    }
    layer.built = True
    return made


def _dense(layers: Any, shape: tuple[int, ...], bias: bool, options: dict[str, Any]) -> _Made:
    return layers.Dense(shape[1], use_bias=bias, **options), (None, shape[0])


def _convolution(class_name: str) -> Callable[..., _Made]:
    def make(layers: Any, shape: tuple[int, ...], bias: bool, options: dict[str, Any]) -> _Made:
        *window, inputs, outputs = shape
        if class_name == "Conv2DTranspose":  # (kh, kw, out, in)
            inputs, outputs = outputs, inputs
        layer = getattr(layers, class_name)(
            outputs, tuple(window), use_bias=bias, data_format="channels_last", **options
        )
        return layer, (None, *window, inputs)

    return make


def _depthwise(layers: Any, shape: tuple[int, ...], bias: bool, options: dict[str, Any]) -> _Made:
    *window, channels, multiplier = shape
    options |= {"depth_multiplier": multiplier, "data_format": "channels_last"}
    layer = layers.DepthwiseConv2D(tuple(window), use_bias=bias, **options)
    return layer, (None, *window, channels)


def _embedding(layers: Any, shape: tuple[int, ...], bias: bool, options: dict[str, Any]) -> _Made:
    return layers.Embedding(*shape, **options), (None, None)


def _attention(into: bool) -> Callable[..., _Made]:
    """Take the projection into the query, or that of the output, out of an attention layer."""

    def make(layers: Any, shape: tuple[int, ...], bias: bool, options: dict[str, Any]) -> _Made:
        heads, size = shape[1:] if into else shape[:2]
        inputs = (None, None, shape[0] if into else shape[2])
        whole = layers.MultiHeadAttention(heads, size, use_bias=bias, **options)
        if hasattr(whole, "_build_from_signature"):  # the legacy tf_keras
            import tensorflow as tf

            whole._build_from_signature(tf.TensorShape(inputs), tf.TensorShape(inputs))
            part = whole._query_dense if into else whole._output_dense
            with tf.name_scope(f"{whole.name}/{part.name}"):
                part.build(tf.TensorShape((None, None, *shape[: 1 if into else 2])))
            return part, inputs
        whole.build(inputs, inputs)
        return whole.query_dense if into else whole.output_dense, inputs

    return make


def _norm(layers: Any, shape: tuple[int, ...], bias: bool, options: dict[str, Any]) -> _Made:
    return layers.LayerNormalization(center=bias, **options), (None, *shape)


#: Kind of layer -> the name that Keras gives the first of it, and how to make one.
_LAYERS: dict[str, tuple[str, Callable[..., _Made]]] = {
    "dense": ("dense", _dense),
    "conv1d": ("conv1d", _convolution("Conv1D")),
    "conv2d": ("conv2d", _convolution("Conv2D")),
    "conv3d": ("conv3d", _convolution("Conv3D")),
    "depthwise": ("depthwise_conv2d", _depthwise),
    "transposed": ("conv2d_transpose", _convolution("Conv2DTranspose")),
    "embedding": ("embedding", _embedding),
    "attention-in": ("multi_head_attention", _attention(into=True)),
    "attention-out": ("multi_head_attention", _attention(into=False)),
    "scale": ("layer_normalization", _norm),
}


@functools.lru_cache(maxsize=2)
def _model_class(home: ModuleType) -> Any:
    """Make the model class of this Keras."""
    inner = _inner_product(home)

    class ProbeModel(home.Model):  # type: ignore[misc, name-defined]
        """Layers with the loss Σ⟨G, w⟩, whose gradient is G whatever the weights are."""

        def __init__(self, layers: list[Any], variables: dict[str, Any]) -> None:
            super().__init__(name="probe", dtype="float32")
            self.blocks = layers
            self.probe_variables = variables
            self.built = True

        def call(self, inputs: Any) -> Any:
            return inputs

        def compute_loss(self, x: Any = None, *_: Any, **__: Any) -> Any:
            # One row of x is one step. One product of all weights, end to end, compiles much
            # faster than one for each weight, and its gradient is a mere slice of x.
            return inner(x[0], list(self.probe_variables.values()))

    return ProbeModel


def _inner_product(home: ModuleType) -> Callable[[Any, list[Any]], Any]:
    """Return ⟨G, w⟩ over all weights, in the operations of this Keras."""
    if hasattr(home, "ops"):
        concatenate, reshape, add_up = home.ops.concatenate, home.ops.reshape, home.ops.sum
    else:
        import tensorflow as tf

        concatenate, reshape, add_up = tf.concat, tf.reshape, tf.reduce_sum

    def inner(gradient: Any, variables: list[Any]) -> Any:
        return add_up(gradient * concatenate([reshape(v, (-1,)) for v in variables], 0))

    return inner
