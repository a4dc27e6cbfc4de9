"""The kit that judges ports of Gradient Centralization.

>>> from gc_ref import centralize
>>> from gc_ref.conformance import check, operator_port
>>> port = operator_port(lambda g: centralize(g, output_axis=-1), name="reference")
>>> check(port, max_examples=0).verdict
'conforms'
"""

from gc_ref._conformance.adapters.exec.port import exec_port
from gc_ref._conformance.adapters.keras.port import keras_port
from gc_ref._conformance.adapters.numpy import numpy_port
from gc_ref._conformance.adapters.operator import operator_port
from gc_ref._conformance.adapters.optax.port import optax_port
from gc_ref._conformance.adapters.torch.port import torch_port
from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.findings.counterexample import Counterexample
from gc_ref._conformance.ports.case import Case, Parameter, Trajectory
from gc_ref._conformance.ports.port import Port, PortError, PortLoadError
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.running.judgment import check
from gc_ref._conformance.testing.parametrize import parametrize_with_checks
from gc_ref._layouts import output_axes

__all__ = [
    "CHECKS",
    "DEVIATIONS",
    "Case",
    "CheckReport",
    "Counterexample",
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
    "output_axes",
    "parametrize_with_checks",
    "torch_port",
]

if __name__ == "__main__":  # `python -m gc_ref.conformance`: the command gc-ref of this very Python
    import sys

    from gc_ref._conformance.cli.main import main

    sys.exit(main())
