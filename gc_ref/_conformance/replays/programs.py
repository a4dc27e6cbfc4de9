"""The programs of `_replay`, one for each kind of port: what they import, and how they train."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gc_ref._conformance.ports.case import Case, Parameter

__all__ = ["PROGRAMS", "Scene"]


@dataclass(frozen=True)
class Scene:
    """What a program shows, most of it as source code."""

    imports: list[str]
    name: str
    arguments: str
    hyperparameters: Mapping[str, float]
    parameter: Parameter
    case: Case
    layout: str
    weight: str
    gradients: list[str]
    index: tuple[int, ...]
    expected: float
    got: float
    bound: float
    detail: str
    words: tuple[str, ...]


def _program(scene: Scene, imports: list[str], body: str, *, operator: bool = False) -> str:
    """Put the parts of a Python program together."""
    lines = [*imports, "", *scene.imports, ""]
    if operator:
        lines.append(f"gradient = {scene.gradients[-1]}")
    else:
        lines.append(f"weight = {scene.weight}")
        lines += ["gradients = [", *(f"    {g}," for g in scene.gradients), "]"]
    lines += [f"index = {scene.index}", "", *body.strip().splitlines(), ""]
    lines += [
        f"expected, bound = {_float(scene.expected)}, {_float(scene.bound)}",
        'assert abs(got - expected) <= bound, f"got {got}, expected {expected} within {bound}"',
    ]
    return "\n".join(lines) + "\n"


def _float(value: float) -> str:
    return repr(value) if abs(value) < float("inf") else f'float("{value}")'


def _operator_numpy(scene: Scene) -> str:
    body = f"got = float({_call(scene, 'gradient')}[index])"
    return _program(scene, ["import numpy as np"], body, operator=True)


def _operator_torch(scene: Scene) -> str:
    given = f"torch.from_numpy(gradient){_as_dtype(scene)}"
    body = f"got = {_call(scene, given)}[index].item()"
    return _program(scene, ["import numpy as np", "import torch"], body, operator=True)


def _operator_jax(scene: Scene) -> str:
    given = f'jnp.asarray(gradient, dtype="{scene.case.dtype}")'
    body = f"{_wide(scene)}got = float({_call(scene, given)}[index])"
    imports = ["import jax", "import jax.numpy as jnp", "import numpy as np"]
    return _program(scene, imports, body, operator=True)


def _call(scene: Scene, *given: str) -> str:
    return f"{scene.name}({', '.join(filter(None, [*given, scene.arguments]))})"


def _as_dtype(scene: Scene) -> str:
    return ".to(torch.bfloat16)" if scene.case.dtype == "bfloat16" else ""


def _wide(scene: Scene) -> str:
    wide = scene.case.dtype == "float64"
    return 'jax.config.update("jax_enable_x64", True)\n' if wide else ""


def _torch(scene: Scene) -> str:
    as_dtype = _as_dtype(scene)
    body = f"""
parameter = torch.nn.Parameter(torch.from_numpy(weight){as_dtype})
optimizer = {_call(scene, "[parameter]")}
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
model.compile({_call(scene)}, loss=lambda _, output: keras.ops.sum(output))
probe.kernel.assign(weight)
data = np.stack(gradients), np.zeros((len(gradients), 1))
model.fit(*data, batch_size=1, shuffle=False, verbose=0)
got = float(probe.kernel.numpy()[index])
'''
    backend = f'os.environ["KERAS_BACKEND"] = "{scene.detail}"'
    return _program(scene, ["import os", "", backend, "import keras", "import numpy as np"], body)


def _optax(scene: Scene) -> str:
    from gc_ref._conformance.adapters.optax.tree import paths

    [path] = paths((scene.parameter,), layout=scene.layout).values()
    at = "".join(f"[{key!r}]" for key in path)
    made = _call(scene)
    if scene.detail == "scaled":  # it takes no learning rate
        made = f"optax.chain({made}, optax.scale({-scene.hyperparameters['lr']!r}))"
    body = f"""
{_wide(scene)}params = {_nested(path, "jnp.asarray(weight)")}
optimizer = {made}
state = optimizer.init(params)
for gradient in gradients:
    updates, state = optimizer.update({_nested(path, "jnp.asarray(gradient)")}, state, params)
    params = optax.apply_updates(params, updates)
got = float(params{at}[index])
"""
    imports = ["import jax", "import jax.numpy as jnp", "import numpy as np", "import optax"]
    return _program(scene, imports if _wide(scene) else imports[1:], body)


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
    hyperparameters={dict(scene.hyperparameters)!r},
    dtype={scene.case.dtype!r},
    drive=frozenset(),
)
steps = {_call(scene, "case")}
got = float(getattr(steps, "steps", steps)[-1][parameter.name][index])
"""
    imports = ["from types import SimpleNamespace", "", "import numpy as np"]
    return _program(scene, imports, body)


def _exec(scene: Scene) -> str:
    """Return a shell command that pipes the questions into the program."""
    from gc_ref._conformance.adapters.exec.hello import hello_line
    from gc_ref._conformance.adapters.exec.protocol import run_line

    settings, takes, centralized = json.loads(scene.detail)
    case = replace(scene.case, hyperparameters=scene.hyperparameters)
    questions = [
        hello_line(settings),
        run_line(1, case, frozenset(takes), centralized=centralized),
    ]
    piped = " ".join(shlex.quote(line.decode("ascii")) for line in questions)
    return (
        f"printf '%s\\n' {piped} | {shlex.join(scene.words)}\n"
        f"# {scene.parameter.name} at index {scene.index} after step {len(scene.gradients)}: "
        f"got {scene.got!r}, expected {scene.expected!r} ({scene.expected.hex()}) "
        f"within {scene.bound!r}\n"
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
