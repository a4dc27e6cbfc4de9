"""The kit that judges ports of Gradient Centralization.

>>> from gc_ref import centralize
>>> from gc_ref.conformance import check, operator_port
>>> port = operator_port(lambda g: centralize(g, output_axis=-1), name="reference")
>>> check(port, max_examples=0).verdict
'conforms'

A port is made by the function of its framework (`torch_port`, `keras_port`, `optax_port`,
`operator_port`, `numpy_port`, `exec_port`), and judged by `check` or by the tests of
`parametrize_with_checks`. A check that fails shows a `Counterexample`:

>>> def one_mean(g):
...     return g if g.ndim < 2 else g - g.mean()
>>> report = check(operator_port(one_mean), max_examples=0)
>>> report.verdict, report.identified
('deviates', ('whole-tensor',))
>>> failed = next(c for c in report.checks if c.id == "value/exact")
>>> failed.counterexample.parameter, failed.counterexample.worst.step
('dense_0.kernel', 1)

What a `Check` holds a port to, and what each known `Deviation` is, can be looked up by id:

>>> from gc_ref.conformance import CHECKS, DEVIATIONS
>>> CHECKS["law/zero-mean"].sentence
'eᵀP = 0: no output neuron keeps a mean'
>>> DEVIATIONS["whole-tensor"].sentence
'one mean is taken over the whole weight'

Which axes of a layer's weight number its output neurons (Eq. 1), `output_axes` tells:

>>> from gc_ref.conformance import output_axes
>>> output_axes("dense", 2, layout="output-last"), output_axes("conv2d", 4, layout="output-first")
((1,), (0,))
"""

from gc_ref._conformance.adapters.exec.port import exec_port
from gc_ref._conformance.adapters.keras.port import keras_port
from gc_ref._conformance.adapters.numpy import numpy_port
from gc_ref._conformance.adapters.operator import operator_port
from gc_ref._conformance.adapters.optax.port import optax_port
from gc_ref._conformance.adapters.torch.port import torch_port
from gc_ref._conformance.catalogue.checks import CHECKS, Check
from gc_ref._conformance.catalogue.deviations import DEVIATIONS, Deviation
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.findings.counterexample import Counterexample
from gc_ref._conformance.ports.case import Case, Parameter, Trajectory
from gc_ref._conformance.ports.port import Port, PortError, PortLoadError
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.running.judge_port import check
from gc_ref._conformance.testing.parametrize import parametrize_with_checks
from gc_ref._layouts import output_axes

__all__ = [
    "CHECKS",
    "DEVIATIONS",
    "Case",
    "Check",
    "CheckReport",
    "Counterexample",
    "Deviation",
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

    from gc_ref._conformance.cli.guarded import run

    sys.exit(run())
