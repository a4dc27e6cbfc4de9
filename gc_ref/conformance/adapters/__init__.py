"""Adapters: each drives a port through the real training loop of its framework."""

from gc_ref.conformance.adapters.exec import exec_port
from gc_ref.conformance.adapters.keras import keras_port
from gc_ref.conformance.adapters.numpy import numpy_port
from gc_ref.conformance.adapters.operator import operator_port
from gc_ref.conformance.adapters.optax import optax_port
from gc_ref.conformance.adapters.torch import torch_port

__all__ = [
    "exec_port",
    "keras_port",
    "numpy_port",
    "operator_port",
    "optax_port",
    "torch_port",
]
