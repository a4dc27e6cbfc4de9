"""The kit that judges ports of Gradient Centralization.

>>> from gc_ref import centralize
>>> from gc_ref.conformance import check, operator_port
>>> port = operator_port(lambda g: centralize(g, output_axis=-1), name="reference")
>>> check(port, max_examples=0).verdict
'conforms'
"""

from gc_ref.conformance._check_report import CheckReport
from gc_ref.conformance._parametrize import parametrize_with_checks
from gc_ref.conformance._port import Case, Parameter, Port, PortError, PortLoadError, Trajectory
from gc_ref.conformance._report import Report
from gc_ref.conformance._run import check
from gc_ref.conformance.adapters import (
    exec_port,
    keras_port,
    numpy_port,
    operator_port,
    optax_port,
    torch_port,
)

__all__ = [
    "Case",
    "CheckReport",
    "Parameter",
    "Port",
    "PortError",
    "PortLoadError",
    "Report",
    "Trajectory",
    "check",
    "exec_port",
    "keras_port",
    "numpy_port",
    "operator_port",
    "optax_port",
    "parametrize_with_checks",
    "torch_port",
]
