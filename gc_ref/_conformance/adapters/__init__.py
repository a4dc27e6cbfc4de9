"""Adapters: each drives a port through the real training loop of its framework."""

from gc_ref._conformance.adapters.exec.port import exec_port
from gc_ref._conformance.adapters.keras.port import keras_port
from gc_ref._conformance.adapters.numpy import numpy_port
from gc_ref._conformance.adapters.operator import operator_port
from gc_ref._conformance.adapters.optax.port import optax_port
from gc_ref._conformance.adapters.torch.port import torch_port

__all__ = [
    "exec_port",
    "keras_port",
    "numpy_port",
    "operator_port",
    "optax_port",
    "torch_port",
]
