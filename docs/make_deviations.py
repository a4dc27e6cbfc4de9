"""Write a page for each known deviation: ``python docs/make_deviations.py`` (needs PyTorch).

What such a port does, what it breaks and where it was seen come from the catalogue, the lines of
code from ``deviations/snippets``, and what a report says from a run: the wrong code is judged here.
"""

from __future__ import annotations

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gc_ref._conformance.catalogue.deviations import CONTROL, UNSEEN
from gc_ref._conformance.catalogue.mends import INPUT_AXES, MENDS
from gc_ref._conformance.reports.findings_text import worked
from gc_ref.conformance import (
    DEVIATIONS,
    Case,
    Deviation,
    Port,
    Report,
    check,
    keras_port,
    numpy_port,
    operator_port,
    optax_port,
    torch_port,
)

FOLDER = Path(__file__).parent / "deviations"
SNIPPETS = FOLDER / "snippets"
#: A heading of a section of a file of snippets: its frameworks, and the name that it defines.
HEADING = re.compile(r"^# %% ([\w, -]+): (\w+)\n", re.MULTILINE)
#: In the order of the page.
FRAMEWORKS = {
    "numpy": "NumPy",
    "numpy-first": "NumPy, with the outputs on the first axis",
    "optax": "optax (JAX)",
    "torch": "PyTorch",
    "keras": "Keras",
}
#: Why a page has no lines of a framework: by deviation and framework.
ABSENT = {
    "state-lost": {
        "numpy": "the kit saves and restores no optimizer of arrays",
        "optax": "its state is what `update` returns, and `jax.jit` loses any other at once, "
        "which is [base-dropped](base-dropped.md)",
    }
}
#: The axes of the inputs, as a mend names them.
INPUTS = f"`{INPUT_AXES['output-last']}` (PyTorch: `{INPUT_AXES['output-first']}`)"
#: Of the weights that the forms of a deviation are told for.
LAYOUT = "output-last"
#: A section: its framework, and the name that it defines.
Key = tuple[str, str]


def sections(name: str) -> dict[Key, str]:
    """Return the sections of a file of snippets: code by framework and name."""
    _, *parts = HEADING.split((SNIPPETS / f"{name}.py").read_text(encoding="utf-8"))
    texts = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return {
        (framework, what): code.strip() + "\n"
        for frameworks, what, code in texts
        for framework in frameworks.split(", ")
    }


def load(key: Key, code: str) -> Any:
    """Run a section, and return what it defines; ``centralize`` in it is the right one."""
    framework, what = key
    names = _namespace(framework)
    if what != "centralize":
        exec(sections("right")[framework, "centralize"], names)
    exec(code, names)
    return names[what]


def _namespace(framework: str) -> dict[str, Any]:
    names: dict[str, Any] = {"np": np}
    if framework == "torch":
        import torch

        names["torch"] = torch
    elif framework == "optax":
        import jax
        import jax.numpy as jnp
        import optax

        names |= {"jax": jax, "jnp": jnp, "optax": optax}
    elif framework == "keras":
        import keras

        names |= {"keras": keras, "ops": keras.ops}
    return names


def port_of(key: Key, code: str) -> Port:
    """Make a port of a section, of one for optax or Keras that is no function of a gradient."""
    framework, what = key
    found = load(key, code)
    if what == "centralize":
        layout = "output-last" if framework == "numpy" else "output-first"
        arrays = framework.removesuffix("-first")
        return operator_port(found, name=what, framework=arrays, layout=layout)
    algorithm = "sgdm" if "sgd" in what.lower() else "adam"
    if framework in ("optax", "keras"):
        make = {"optax": optax_port, "keras": keras_port}[framework]
        return make(found, name=what, algorithm=algorithm)
    if framework == "torch":
        switch = {"use_gc": True} if "use_gc" in inspect.signature(found).parameters else {}
        return torch_port(found, name=what, algorithm=algorithm, settings=switch)
    port = numpy_port(_runs(found), name=what, algorithm=algorithm)
    if "use_gc" in inspect.signature(found).parameters:
        off = numpy_port(_runs(partial(found, use_gc=False)), name=what, algorithm=algorithm)
        port = replace(port, off=off, switch="use_gc=False")
    return port


def _runs(optimizer: Callable[..., Any]) -> Callable[[Case], Any]:
    """Make the function of a case that trains with an optimizer on dictionaries of arrays."""
    wanted = inspect.signature(optimizer).parameters

    def run(case: Case) -> list[Mapping[str, Any]]:
        made = optimizer(**{k: v for k, v in case.hyperparameters.items() if k in wanted})
        weights = {p.name: p.value for p in case.parameters}
        steps = []
        for number, gradients in enumerate(case.gradients):
            made.lr = case.rates[number] if case.rates else made.lr
            made.step(weights, gradients)
            steps.append(dict(weights))
        return steps

    return run


def judge(id: str) -> Report:
    """Judge the wrong code of a deviation: the first section, which is for NumPy or PyTorch."""
    key, code = next(iter(sections(id).items()))
    return check(port_of(key, code), max_examples=0)


def page(id: str, report: Report) -> str:
    """Return the page of a deviation, whose wrong code was judged."""
    deviation = DEVIATIONS[id]
    parts = [f"# {id}", _what(deviation), "## In code", SIGNS, *_code(id)]
    return "\n\n".join([*parts, "## In a report", *_said(id, report)]) + "\n"


SIGNS = "Lines with a minus are wrong, and those with a plus right."


def _what(deviation: Deviation) -> str:
    checks = ", ".join(f"`{id}`" for id in deviation.checks)
    only = f" One check may be all that finds it: {deviation.only}." if deviation.only else ""
    return "\n\n".join(
        [
            f"{_sentence(deviation.sentence)} This breaks *{deviation.clause}*.",
            f"- **How to mend it:** {_mend(deviation.id)}.\n"
            f"- **Seen in:** {deviation.seen or UNSEEN}.\n"
            f"- **Found by:** {checks}.{only}"
            + _forms(deviation)
            + f"\n- **Plant it:** `gc-ref selftest --deviation {deviation.id}` judges ports that "
            "have it, in each framework that is installed.",
        ]
    )


def _mend(id: str) -> str:
    coded = re.sub(r"1 - beta\d\*\*t|g\.ndim > 1", r"`\g<0>`", MENDS[id])
    return coded.format(inputs=INPUTS)


def _plain(words: str) -> str:
    """Return words of which Markdown takes no star for its own."""
    return words.replace("*", "\\*")


def _forms(deviation: Deviation) -> str:
    """Say what else goes by that name."""
    right = CONTROL.semantics.words(LAYOUT)
    forms = [form.semantics.words(LAYOUT) for form in deviation.forms]
    said = dict.fromkeys("; ".join(w for w in words if w not in right) for words in forms)
    known = [f"\n  - {words}" for words in said if words]
    return "\n- **Forms that are known:**" + "".join(known) if len(known) > 1 else ""


def _sentence(words: str) -> str:
    """Return words as a sentence."""
    return f"{words[0].upper()}{words[1:]}."


def _code(id: str) -> Iterator[str]:
    """Yield headings and differences; frameworks whose code is the same share one.

    Those that have none follow, each with the reason.
    """
    right, shared = sections("right"), dict[str, list[str]]()
    wrong = sections(id)
    for framework, title in FRAMEWORKS.items():
        for key, code in wrong.items():
            if key[0] == framework:
                shared.setdefault(_difference(code, right[key]), []).append(title)
    for text, titles in shared.items():
        yield f"{', '.join(titles)}:"
        yield f"```diff\n{text}```"
    for framework, why in ABSENT.get(id, {}).items():
        yield f"{FRAMEWORKS[framework]} has no such lines: {why}."


def _difference(wrong: str, right: str) -> str:
    rows = difflib.unified_diff(wrong.splitlines(), right.splitlines(), n=99, lineterm="")
    return "".join(f"{row}\n" for row in list(rows)[3:])


def _said(id: str, report: Report) -> Iterator[str]:
    """Yield what the report of the first of these ports says."""
    failed = report.with_status("failed")
    title = FRAMEWORKS[next(iter(sections(id)))[0]]
    yield (
        f"The wrong lines for {title} fail {len(failed)} of {report.checks_run} checks. The "
        "report begins:"
    )
    yield _block(report.to_text().partition("\nScope: ")[0].splitlines())
    shown = report.smallest or failed[0]
    if shown.counterexample is None:
        yield f"`{shown.id}` ({shown.clause}) says:"
        yield f"> {_plain(shown.message)}"
        return
    yield f"Its smallest counterexample is that of `{shown.id}` ({shown.clause}):"
    yield _block(line.removeprefix("  ") for line in worked(shown.counterexample))


def _block(lines: Iterable[str]) -> str:
    return "\n".join(["```text", *lines, "```"])


def index() -> str:
    """Return the page that lists the others."""
    rows = "\n".join(f"| [{d.id}]({d.id}.md) | {d.sentence} |" for d in DEVIATIONS.values())
    return f"{HEAD}\n| deviation | what such a port does |\n|---|---|\n{rows}\n"


HEAD = """# Deviations

A *deviation* is a way of being wrong that the kit knows by name: reports name it, and
`gc-ref selftest` plants it into ports of each framework. Ids never change once they are released.

Each page has the wrong lines beside the right ones, and what a report says of them. Tests judge all
lines: wrong ones must be found and named, right ones must conform; a function `centralize(g)` for
optax or Keras must give what that for NumPy gives. Such a function takes one gradient. It is called

- in PyTorch on each `p.grad`, between `backward()` and the step;
- in Keras on each gradient that `apply` of the optimizer is given;
- in optax by `optax.stateless(lambda updates, params: jax.tree.map(centralize, updates))`, which
  stands before the optimizer in a chain.

`np` is NumPy, `jnp` is `jax.numpy`, and `ops` is `keras.ops`. In all other code `centralize` is the
right one.
"""


def pages() -> Iterator[tuple[str, str]]:
    """Yield name and text of each page."""
    yield "index", index()
    for id in DEVIATIONS:
        yield id, page(id, judge(id))


if __name__ == "__main__":
    for name, text in pages():
        (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")
        print(name, file=sys.stderr)
