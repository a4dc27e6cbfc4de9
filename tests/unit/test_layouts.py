"""Which axes number the outputs: held against what real layers compute."""

import itertools
from functools import partial

import pytest

from gc_ref._layouts import (
    FLAX_KINDS,
    KINDS,
    VECTOR_KINDS,
    is_convolution,
    output_axes,
    weight_shape,
)


@pytest.mark.parametrize("kind", [*KINDS, *FLAX_KINDS.values()])
@pytest.mark.parametrize(("layout", "axis"), [("output-first", 0), ("output-last", -1)])
def test_by_rank_is_one_rule(kind, layout, axis):
    ndim = len(weight_shape(kind, layout=layout, fan_in=4, fan_out=3))
    assert output_axes(kind, ndim, layout=layout) == (axis % ndim,)


@pytest.mark.parametrize("kind", ["dense", "conv1d", "conv2d", "conv3d"])
@pytest.mark.parametrize("layout", ["output-first", "output-last"])
def test_plain_layers_leave_no_choice(kind, layout):
    ndim = len(weight_shape(kind, layout=layout, fan_in=4, fan_out=3))
    by_rank, by_kind = (
        output_axes(kind, ndim, layout=layout, axes_rule=rule) for rule in ("by-rank", "by-kind")
    )
    assert by_rank == by_kind


@pytest.mark.parametrize("kind", VECTOR_KINDS)
@pytest.mark.parametrize("layout", ["output-first", "output-last"])
def test_vectors_are_out_of_scope(kind, layout):
    shape = weight_shape(kind, layout=layout, fan_in=4, fan_out=3)
    assert output_axes(kind, len(shape), layout=layout) is None


def test_convolutions():
    convolutions = ["conv1d", "conv2d", "conv3d", "depthwise", "transposed"]
    assert [kind for kind in KINDS if is_convolution(kind)] == convolutions
    assert all(map(is_convolution, FLAX_KINDS.values()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("conv9d", 2, "output-first", "by-rank"), "unknown kind of weight 'conv9d'"),
        (("dense", 2, "sideways", "by-rank"), "unknown layout 'sideways'"),
        (("dense", 2, "output-first", "by-chance"), "unknown axes_rule 'by-chance'"),
    ],
)
def test_unknown_words(arguments, message):
    kind, ndim, layout, rule = arguments
    with pytest.raises(ValueError, match=message):
        output_axes(kind, ndim, layout=layout, axes_rule=rule)


def torch_layers():
    """Kind, layer without bias (4 inputs, 3 outputs, window 2), a call of it, its channel axis."""
    import torch
    from torch import nn

    def ones(*shape):
        return lambda layer: layer(torch.ones(shape))

    yield "dense", nn.Linear(4, 3, bias=False), ones(1, 4), 1
    yield "conv1d", nn.Conv1d(4, 3, 2, bias=False), ones(1, 4, 5), 1
    yield "conv2d", nn.Conv2d(4, 3, 2, bias=False), ones(1, 4, 5, 5), 1
    yield "conv3d", nn.Conv3d(4, 3, 2, bias=False), ones(1, 4, 5, 5, 5), 1
    yield "depthwise", nn.Conv2d(4, 4, 2, groups=4, bias=False), ones(1, 4, 5, 5), 1
    yield "transposed", nn.ConvTranspose2d(4, 3, 2, bias=False), ones(1, 4, 5, 5), 1
    yield "embedding", nn.Embedding(4, 3), lambda layer: layer(torch.arange(4)), 1


@pytest.mark.torch
def test_by_kind_is_what_torch_layers_compute():
    import torch

    for kind, layer, call, channels in torch_layers():
        shape = tuple(layer.weight.shape)
        assert shape == weight_shape(kind, layout="output-first", fan_in=4, fan_out=3)
        axes = output_axes(kind, len(shape), layout="output-first", axes_rule="by-kind")
        reached = []
        for position in itertools.product(*(range(shape[axis]) for axis in axes)):
            # Only this neuron's weights are 1: only its own output may differ from 0.
            index = tuple(
                position[axes.index(axis)] if axis in axes else slice(None)
                for axis in range(len(shape))
            )
            with torch.no_grad():
                layer.weight.zero_()
                layer.weight[index] = 1.0
                out = call(layer).transpose(0, channels).flatten(1).abs().sum(1)
            [neuron] = out.nonzero().flatten().tolist()
            reached.append(neuron)
        assert sorted(reached) == list(range(len(out))), kind


@pytest.mark.parametrize(
    ("kind", "shape", "axes"),
    [
        # Keras: DepthwiseConv2D (kh, kw, channels, multiplier), Conv2DTranspose (kh, kw, out, in)
        ("depthwise", (2, 2, 4, 1), (2, 3)),
        ("transposed", (2, 2, 3, 4), (2,)),
        ("embedding", (4, 3), (1,)),
        ("attention-in", (8, 4, 2), (1, 2)),
        ("attention-out", (4, 2, 8), (2,)),
    ],
)
def test_by_kind_in_keras(kind, shape, axes):
    assert weight_shape(kind, layout="output-last", fan_in=4, fan_out=3) == shape
    assert output_axes(kind, len(shape), layout="output-last", axes_rule="by-kind") == axes


def linen_layers():
    """Kind, and Flax layer without bias: 4 inputs (in a model of 8 with 4 heads), 3 outputs."""
    import flax.linen as nn
    import jax.numpy as jnp

    def ones(*shape):
        return jnp.ones((1, *shape))

    yield "dense", nn.Dense(3, use_bias=False), ones(4)
    yield "conv1d", nn.Conv(3, (2,), use_bias=False), ones(5, 4)
    yield "conv2d", nn.Conv(3, (2, 2), use_bias=False), ones(5, 5, 4)
    yield "conv3d", nn.Conv(3, (2, 2, 2), use_bias=False), ones(5, 5, 5, 4)
    yield (
        "depthwise-grouped",
        nn.Conv(4, (2, 2), use_bias=False, feature_group_count=4),
        ones(5, 5, 4),
    )
    yield "transposed-direct", nn.ConvTranspose(3, (2, 2), use_bias=False), ones(5, 5, 4)
    yield "embedding", nn.Embed(4, 3), jnp.arange(4)
    yield "attention-in", nn.DenseGeneral((4, 2), use_bias=False), ones(8)
    yield "attention-out", nn.DenseGeneral(8, axis=(-2, -1), use_bias=False), ones(4, 2)


def nnx_layers():
    """Kind, and layer of Flax's nnx, as above; those of its attention are its LinearGeneral."""
    import jax.numpy as jnp
    from flax import nnx

    rngs = nnx.Rngs(0)

    def conv(window, **options):
        return nnx.Conv(4, options.pop("out", 3), window, use_bias=False, rngs=rngs, **options)

    def ones(*shape):
        return jnp.ones((1, *shape))

    yield "dense", nnx.Linear(4, 3, use_bias=False, rngs=rngs), ones(4)
    yield "conv1d", conv((2,)), ones(5, 4)
    yield "conv2d", conv((2, 2)), ones(5, 5, 4)
    yield "conv3d", conv((2, 2, 2)), ones(5, 5, 5, 4)
    yield "depthwise-grouped", conv((2, 2), out=4, feature_group_count=4), ones(5, 5, 4)
    transposed = nnx.ConvTranspose(4, 3, (2, 2), use_bias=False, rngs=rngs)
    yield "transposed-direct", transposed, ones(5, 5, 4)
    yield "embedding", nnx.Embed(4, 3, rngs=rngs), jnp.arange(4)
    into = nnx.LinearGeneral(8, (4, 2), use_bias=False, rngs=rngs)
    yield "attention-in", into, ones(8)
    out = nnx.LinearGeneral((4, 2), 8, axis=(-2, -1), use_bias=False, rngs=rngs)
    yield "attention-out", out, ones(4, 2)


def linen_calls():
    """Kind, shape of the weight, and the layer as a function of the weight."""
    import jax

    def call(layer, x, weights, w):
        return layer.apply({"params": jax.tree.map(lambda _: w, weights)}, x)

    for kind, layer, x in linen_layers():
        weights = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
        [weight] = jax.tree.leaves(weights)
        yield kind, weight.shape, partial(call, layer, x, weights)


def nnx_calls():
    """Kind, shape of the weight, and the layer as a function of the weight."""
    import jax
    from flax import nnx

    def call(graph, x, weights, w):
        return nnx.merge(graph, jax.tree.map(lambda _: w, weights))(x)

    for kind, layer, x in nnx_layers():
        graph, weights = nnx.split(layer)
        [weight] = jax.tree.leaves(weights)
        yield kind, weight.shape, partial(call, graph, x, weights)


@pytest.mark.flax
@pytest.mark.jax
@pytest.mark.parametrize("calls", [linen_calls, nnx_calls])
def test_by_kind_is_what_flax_layers_compute(calls):
    """Only the weights of one neuron are 1: only its own output may differ from 0."""
    np, jnp = pytest.importorskip("numpy"), pytest.importorskip("jax.numpy")
    pytest.importorskip("flax")
    seen = set()
    for kind, shape, call in calls():
        assert shape == weight_shape(kind, layout="output-last", fan_in=4, fan_out=3), kind
        axes = output_axes(kind, len(shape), layout="output-last", axes_rule="by-kind")
        neurons = list(itertools.product(*(range(shape[axis]) for axis in axes)))
        reached = []
        for position in neurons:
            index = [slice(None)] * len(shape)
            for axis, at in zip(axes, position, strict=True):
                index[axis] = at
            weight = np.zeros(shape, np.float32)
            weight[tuple(index)] = 1.0
            out = np.asarray(call(jnp.asarray(weight)))
            per_neuron = np.abs(out).reshape(-1, len(neurons)).sum(0)
            [neuron] = np.flatnonzero(per_neuron)
            reached.append(neuron)
        assert sorted(reached) == list(range(len(neurons))), kind
        seen.add(kind)
    assert seen == {FLAX_KINDS.get(kind, kind) for kind in KINDS}
