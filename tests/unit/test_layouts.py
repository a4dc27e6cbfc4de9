"""Which axes number the outputs: held against what real layers compute."""

import itertools

import pytest

from gc_ref._layouts import KINDS, VECTOR_KINDS, is_convolution, output_axes, weight_shape


@pytest.mark.parametrize("kind", KINDS)
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
