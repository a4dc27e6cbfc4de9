"""The programs that replay a counterexample: one for each kind of port."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gc_ref._conformance.adapters.exec.hello import hello_line
from gc_ref._conformance.adapters.exec.protocol import run_line
from gc_ref._conformance.adapters.optax.tree import paths
from gc_ref._conformance.findings.counterexample import Element
from gc_ref._conformance.ports.case import Case, Parameter
from gc_ref._conformance.ports.port import Construction
from gc_ref._conformance.replays.imports import Imported
from gc_ref._conformance.replays.literals import array_literal, float_literal, literal


@dataclass(frozen=True)
class Scene:
    """What a program shows.

    Attributes
    ----------
    made : Construction
        How the user makes what is driven.
    imported : Imported
        How the program gets at it.
    layout : str
        Layout of the weights.
    case : Case
        The one parameter, its gradients, and the hyperparameters that the port is given.
    parameter : Parameter
        The parameter.
    shown : Element
        The element that is wrong after the last step.
    """

    made: Construction
    imported: Imported
    layout: str
    case: Case
    parameter: Parameter
    shown: Element

    @property
    def gradients(self) -> list[str]:
        """Source code of the gradient of each step."""
        return [array_literal(g[self.parameter.name]) for g in self.case.gradients]

    def call(self, *given: str) -> str:
        """Source code that calls what the user gave, with the arguments of the port."""
        arguments = self.made.arguments(self.case.hyperparameters)
        words = [*given, *(f"{k}={literal(v)}" for k, v in arguments.items())]
        return f"{self.imported.name}({', '.join(words)})"


def _program(scene: Scene, imports: Sequence[str], body: str, *, operator: bool = False) -> str:
    """Put the parts of a Python program together."""
    lines = [*imports, "", *scene.imported.lines, ""]
    gradients, shown = scene.gradients, scene.shown
    if operator:
        lines.append(f"gradient = {gradients[-1]}")
    else:
        lines.append(f"weight = {array_literal(scene.parameter.value)}")
        lines += ["gradients = [", *(f"    {g}," for g in gradients), "]"]
    lines += [f"index = {shown.index}", "", *body.strip().splitlines(), ""]
    lines += [
        f"expected, bound = {float_literal(shown.expected)}, {float_literal(shown.bound)}",
        'assert abs(got - expected) <= bound, f"got {got}, expected {expected} within {bound}"',
    ]
    return "\n".join(lines) + "\n"


def _operator_numpy(scene: Scene) -> str:
    body = f"got = float({scene.call('gradient')}[index])"
    return _program(scene, ["import numpy as np"], body, operator=True)


def _operator_torch(scene: Scene) -> str:
    given = f"torch.from_numpy(gradient){_as_dtype(scene)}"
    body = f"got = {scene.call(given)}[index].item()"
    return _program(scene, ["import numpy as np", "import torch"], body, operator=True)


def _operator_jax(scene: Scene) -> str:
    given = f'jnp.asarray(gradient, dtype="{scene.case.dtype}")'
    body = f"{_wide(scene)}got = float({scene.call(given)}[index])"
    imports = ["import jax", "import jax.numpy as jnp", "import numpy as np"]
    return _program(scene, imports, body, operator=True)


def _as_dtype(scene: Scene) -> str:
    return ".to(torch.bfloat16)" if scene.case.dtype == "bfloat16" else ""


def _wide(scene: Scene) -> str:
    wide = scene.case.dtype == "float64"
    return 'jax.config.update("jax_enable_x64", True)\n' if wide else ""


def _torch(scene: Scene) -> str:
    as_dtype = _as_dtype(scene)
    body = f"""
parameter = torch.nn.Parameter(torch.from_numpy(weight){as_dtype})
optimizer = {scene.call("[parameter]")}
for gradient in gradients:
    optimizer.zero_grad()
    (torch.from_numpy(gradient){as_dtype} * parameter).sum().backward()
    optimizer.step()
got = parameter[index].item()
"""
    return _program(scene, ["import numpy as np", "import torch"], body)


def _keras(scene: Scene) -> str:
    body = f'''
class Probe(keras.layers.Layer):
    """Its loss is the sum of gradient times weight: what it is fed with is the gradient."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=shape[1:], initializer="zeros", name="kernel")

    def call(self, gradient):
        return keras.ops.reshape(keras.ops.sum(gradient * self.kernel), (1, 1))


probe = Probe()
model = keras.Sequential([keras.Input(weight.shape), probe])
model.compile({scene.call()}, loss=lambda _, output: keras.ops.sum(output))
probe.kernel.assign(weight)
data = np.stack(gradients), np.zeros((len(gradients), 1))
model.fit(*data, batch_size=1, shuffle=False, verbose=0)
got = float(probe.kernel.numpy()[index])
'''
    backend = f'os.environ["KERAS_BACKEND"] = "{scene.made.detail}"'
    return _program(scene, ["import os", "", backend, "import keras", "import numpy as np"], body)


def _optax(scene: Scene) -> str:
    [path] = paths((scene.parameter,), layout=scene.layout).values()
    at = "".join(f"[{key!r}]" for key in path)
    made = scene.call()
    if scene.made.detail == "scaled":  # it takes no learning rate
        made = f"optax.chain({made}, optax.scale({-scene.case.hyperparameters['lr']!r}))"
    body = f"""
{_wide(scene)}params = {_nested(path, "jnp.asarray(weight)")}
optimizer = {made}
state = optimizer.init(params)
update = jax.jit(optimizer.update)
for gradient in gradients:
    updates, state = update({_nested(path, "jnp.asarray(gradient)")}, state, params)
    params = optax.apply_updates(params, updates)
got = float(params{at}[index])
"""
    imports = ["import jax", "import jax.numpy as jnp", "import numpy as np", "import optax"]
    return _program(scene, imports, body)


def _nested(path: tuple[str, ...], leaf: str) -> str:
    for key in reversed(path):
        leaf = f"{{{key!r}: {leaf}}}"
    return leaf


def _numpy(scene: Scene) -> str:
    p = scene.parameter
    body = f"""
parameter = SimpleNamespace(
    name={p.name!r}, layer={p.layer!r}, kind={p.kind!r}, role={p.role!r},
    layer_kind={p.layer_kind!r}, shape=weight.shape, value=weight,
)
case = SimpleNamespace(
    id={scene.case.id!r},
    parameters=(parameter,),
    gradients=tuple({{parameter.name: gradient}} for gradient in gradients),
    hyperparameters={dict(scene.case.hyperparameters)!r},
    dtype={scene.case.dtype!r},
    drive=frozenset(),
)
steps = {scene.call("case")}
got = float(getattr(steps, "steps", steps)[-1][parameter.name][index])
"""
    imports = ["from types import SimpleNamespace", "", "import numpy as np"]
    return _program(scene, imports, body)


def _exec(scene: Scene) -> str:
    """Return a shell command that pipes the questions into the program."""
    settings, takes, centralized = json.loads(scene.made.detail)
    questions = [
        hello_line(settings),
        run_line(1, scene.case, frozenset(takes), centralized=centralized),
    ]
    piped = " ".join(shlex.quote(line.decode("ascii")) for line in questions)
    shown = scene.shown
    return (
        f"printf '%s\\n' {piped} | {shlex.join(scene.made.function)}\n"
        f"# {scene.parameter.name} at index {shown.index} after step {shown.step}: "
        f"got {shown.got!r}, expected {shown.expected!r} ({shown.expected.hex()}) "
        f"within {shown.bound!r}\n"
    )


PROGRAMS: Mapping[str, Callable[[Scene], str]] = {
    "operator-numpy": _operator_numpy,
    "operator-torch": _operator_torch,
    "operator-jax": _operator_jax,
    "torch": _torch,
    "keras": _keras,
    "optax": _optax,
    "numpy": _numpy,
    "exec": _exec,
}
