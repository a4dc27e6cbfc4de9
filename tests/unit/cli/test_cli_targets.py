"""The command gc-ref on targets: ports that cannot be loaded or driven, and wrong answers."""

import builtins
import json
import re
import sys
from fractions import Fraction

import numpy as np
import pytest

from ._cli_command import quick

NOT_LOADED = [
    ("operator:missing.py:f", ["missing.py", "no file"]),
    ("operator:./missing:f", ["missing", "no file"]),
    ("operator:gc_ref_no_such_module:f", ["gc_ref_no_such_module", "ModuleNotFoundError"]),
    ("operator:syntax.py:f", ["syntax.py", "SyntaxError", "line 1"]),
    ("operator:raising.py:f", ["raising.py", "ValueError: at import"]),
    ("operator:exiting.py:f", ["exiting.py", "SystemExit"]),
    ("operator:needing.py:f", ["needing.py", "gc_ref_no_such_module"]),
    ("operator:attributes_exit.py:f", ["attributes_exit.py", "'f'", "SystemExit"]),
    ("operator:attributes_need.py:f", ["attributes_need.py", "gc_ref_no_such_module"]),
    ("operator:empty.py:f", ["empty.py", "'f'"]),
    ("operator:ports.py:plane", ["ports.py", "'plane'", "it has:", ", ...; did you mean 'plain'?"]),
    ("operator:prots.py:plain", ["no file prots.py", "did you mean 'ports.py'?"]),
    ("operator:no/ports.py:plain", ["no file no/ports.py"]),
    pytest.param(
        "keras:torch.optim:SGD",
        [
            "SGD is the class of a PyTorch optimizer",
            "keras is for a Keras",
            "kind torch (torch:...",
        ],
        marks=[pytest.mark.torch, pytest.mark.keras],
    ),
    pytest.param(
        "torch:keras.optimizers:SGD",
        ["SGD is the class of a Keras optimizer", "name the kind keras (keras:..."],
        marks=[pytest.mark.torch, pytest.mark.keras],
    ),
    pytest.param(
        "optax:torch.optim:SGD",
        ["SGD is the class of a PyTorch optimizer", "optax is for a factory of optax trans"],
        marks=[pytest.mark.torch, pytest.mark.optax],
    ),
    ("operator:ports.py:plain.nothing", ["'plain.nothing'"]),
    ("operator:ports.py:number", ["3", "not a function"]),
    ("numpy:ports.py:number", ["3", "not a function"]),
]


@pytest.mark.parametrize(("target", "needed"), NOT_LOADED)
def test_status_3_a_port_that_cannot_be_loaded(run, target, needed):
    status, out, err = run(*quick(target))
    assert status == 3
    assert out == ""
    assert err.startswith("gc-ref: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert all(word in err for word in needed), err


def test_status_3_a_base_that_cannot_be_loaded(run):
    status, _, err = run(*quick("numpy:ports.py:sgdm", "--base", "numpy:ports.py:nobody"))
    assert status == 3
    assert "'nobody'" in err


NOT_DRIVEN = [
    ("operator:ports.py:returns_none", ["returns_none", "NoneType", "expected a numpy array"]),
    ("operator:ports.py:returns_list", ["returns_list", "list", "expected a numpy array"]),
    ("operator:ports.py:raises", ["raises", "RuntimeError: no luck", "dense_0.kernel", "float32"]),
    ("operator:ports.py:leaves", ["leaves", "SystemExit"]),
    ("operator:ports.py:recurses", ["recurses", "RecursionError"]),
    ("operator:ports.py:aborts", ["aborts", "Abort"]),
    ("operator:ports.py:unsayable", ["unsayable", "raised", "Unsayable"]),
    ("operator:ports.py:closes", ["closes", "GeneratorExit: half-way"]),
    ("operator:ports.py:waits", ["waits is an async function", "not awaited"]),
    ("operator:ports.py:scaled", ["TypeError", "scale"]),
    ("operator:ports.py:raises_later", ["raises_later", "in the middle"]),
    ("operator:ports.py:objects", ["object"]),
    ("operator:ports.py:text", ["text", "<U", "real numbers"]),
    ("numpy:ports.py:steps_none", ["steps_none", "NoneType", "expected a list"]),
    ("numpy:ports.py:too_few", ["too_few", "1 steps", "3"]),
    ("numpy:ports.py:loses_one", ["loses_one", "dense_1.bias", "step 1"]),
    ("numpy:ports.py:steps_of_text", ["steps_of_text", "<U", "real numbers"]),
    ("numpy:ports.py:plain", ["'ndim'", "use operator:"]),
    ("numpy:ports.py:one_array", ["answered ndarray", "use operator:"]),
    ("numpy:ports.py:steps_masked", ["steps_masked", "MaskedArray", "plain NumPy array"]),
    ("operator:ports.py:masked", ["masked returned MaskedArray", "plain numpy array"]),
    ("operator:ports.py:matrix", ["matrix returned matrix", "plain numpy array"]),
    ("numpy:ports.py:steps_leave", ["steps_leave", "SystemExit"]),
    ("numpy:ports.py:steps_abort", ["steps_abort", "GeneratorExit"]),
    ("numpy:ports.py:steps_wait", ["steps_wait is an async function", "not awaited"]),
]


def sentence(out, head):
    """The first finding of this kind in a text report, unwrapped."""
    found = re.search(rf"^{head}  (.*?)^$", out, re.DOTALL | re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def test_an_error_is_not_headed_by_the_check_that_met_it(run):
    _, out, _ = run(*quick("operator:ports.py:raises"))
    head = (
        "\nERROR  the port could not be driven (for hygiene/shape), so nothing more was checked\n"
    )
    assert head in out
    assert "the shape that goes in comes out" not in out
    _, out, _ = run(*quick("operator:ports.py:raises", "--json", "-"))
    [found] = json.loads(out)["checks"]
    assert (found["id"], found["status"]) == ("hygiene/shape", "error")


def test_a_dtype_that_could_not_be_driven_is_not_said_to_be_refused(run):
    _, out, _ = run(*quick("operator:ports.py:not_in_float64"))
    text = " ".join(out.split())
    assert "refuse" not in text
    assert "could not be driven in float64: not_in_float64 raised for dense_0.kernel" in text


@pytest.mark.parametrize(("target", "needed"), NOT_DRIVEN)
def test_status_3_a_port_that_cannot_be_driven(run, target, needed):
    status, out, err = run(*quick(target))
    assert status == 3, out + err
    assert out.startswith("ERROR: ")
    assert out.count("\nERROR  ") == 1
    assert "Traceback" not in out + err
    assert err == ""
    message = sentence(out, "ERROR")
    assert all(word in message for word in needed), message


def test_an_interrupt_is_no_finding(run):
    words = "gc-ref: interrupted (KeyboardInterrupt)\n"
    assert run(*quick("operator:ports.py:interrupts")) == (130, "", words)


@pytest.mark.parametrize(
    ("name", "holder", "function"),
    [
        ("sum", np, "sum"),
        ("all", np, "all"),
        ("isfinite", np, "isfinite"),
        ("max", builtins, "max"),
        ("plus", Fraction, "__add__"),
    ],
)
def test_status_3_functions_that_the_kit_computes_with_are_replaced(
    run, monkeypatch, name, holder, function
):
    monkeypatch.setattr(holder, function, getattr(holder, function))  # to be given back
    status, out, err = run(*quick(f"operator:replaces_{name}.py:half"))
    monkeypatch.undo()
    assert (status, err) == (3, ""), out
    message = sentence(out, "ERROR")
    assert f"{function}: not the function that was there when gc-ref was loaded" in message


@pytest.mark.parametrize(
    "target",
    [
        "operator:ports.py:shallow",
        "operator:ports.py:rounds_up",
        "numpy:ports.py:sgdm_pops",
        pytest.param("operator:flushes.py:plain", marks=pytest.mark.torch),
    ],
)
def test_a_right_port_conforms_whatever_it_switches_or_consumes(run, target):
    status, out, err = run(*quick(target))
    assert (status, err) == (0, ""), out
    assert 5e-324 * float("1") > 0


@pytest.mark.torch
def test_a_port_that_flushes_subnormals_itself_is_off_where_there_are_some(run):
    status, out, err = run(*quick("operator:ports.py:flushes_subnormals", "--json", "-"))
    failed = [c["id"] for c in json.loads(out)["checks"] if c["status"] == "failed"]
    assert (status, err, failed) == (1, "", ["value/bounded"])
    assert 5e-324 * float("1") > 0


def test_status_3_a_setting_that_the_port_does_not_take(run):
    status, out, _ = run(*quick("operator:ports.py:plain", "--set", "scale=2"))
    assert status == 3
    assert "scale" in sentence(out, "ERROR")


WRONG_ANSWERS = [
    (["operator:ports.py:other_shape"], "hygiene/shape", ["(2, 2)", "(4,)", "dense_0.kernel"]),
    (["operator:ports.py:other_dtype"], "hygiene/dtype", ["float16", "float64"]),
    (["operator:ports.py:complex_numbers"], "hygiene/dtype", ["float16", "complex"]),
    (["operator:ports.py:all_nan"], "scope/every-weight", ["got nan", "expected"]),
    (["operator:ports.py:one_nan"], "scope/every-weight", ["got nan", "expected"]),
    (["operator:ports.py:scaled", "--set", "scale=2"], "scope/every-weight", ["expected"]),
    (["numpy:ports.py:steps_of_nan"], "scope/vectors-untouched", ["dense_1.bias"]),
    (
        ["numpy:ports.py:steps_of_nan", "--algorithm", "sgdm"],
        "value/exact",
        ["got nan", "expected"],
    ),
]


@pytest.mark.parametrize(
    ("words", "check", "needed"), WRONG_ANSWERS, ids=lambda x: x if isinstance(x, str) else None
)
def test_status_1_an_answer_that_is_wrong(run, words, check, needed):
    status, out, err = run(*quick(*words, "--verbose"))
    assert status == 1, out + err
    assert "Traceback" not in out + err
    message = sentence(out, f"FAILED  {re.escape(check)}")
    assert all(word in message for word in needed), out


def test_a_port_of_nan_is_not_said_to_be_free_of_means(run):
    """A port whose every answer is NaN shows nothing: not that GC acts."""
    _, out, _ = run(*quick("numpy:ports.py:steps_of_nan", "--json", "-"))
    statuses = {c["id"]: c["status"] for c in json.loads(out)["checks"]}
    assert statuses["effect/on"] != "passed"
    assert statuses["law/shift-invariant"] != "passed"


def test_a_module_of_the_working_directory_is_a_target_too(run):
    assert run(*quick("operator:ports:plain"))[0] == 0


def test_a_file_elsewhere_imports_from_the_working_directory_too(run, here):
    (here / "sub").mkdir()
    (here / "sub" / "near.py").write_text("half = 0.5\n", "utf-8")
    (here / "sub" / "port.py").write_text("import near\nfrom ports2 import plain\n", "utf-8")
    before = list(sys.path)
    assert run(*quick("operator:sub/port.py:plain"))[0] == 0
    assert sys.path == before


LAZY = """
def centralize(g):
    from {} import plain

    return plain(g)


def sgdm(case):
    from {} import sgdm

    return sgdm(case)
"""


@pytest.mark.parametrize("target", ["sub/lazy.py", "lazy.py", "lazy"])
@pytest.mark.parametrize("name", ["operator", "numpy"])
def test_a_port_may_import_its_neighbours_when_it_is_called(run, here, target, name, monkeypatch):
    """As ``python FILE.py`` lets it, from its own folder, and ``python -m`` from this one."""
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(here))])
    folder = here / target.rpartition("/")[0]
    folder.mkdir(exist_ok=True)
    near = f"near_{abs(hash((target, name)))}"  # a module is loaded once
    (folder / f"{near}.py").write_text("from ports2 import *\n", "utf-8")
    monkeypatch.delitem(sys.modules, "lazy", raising=False)
    (folder / "lazy.py").write_text(LAZY.format(near, near), "utf-8")
    before = list(sys.path)
    attribute = {"operator": "centralize", "numpy": "sgdm"}[name]
    status, out, err = run(*quick(f"{name}:{target}:{attribute}"))
    assert (status, err) == (0, ""), out
    assert sys.path == before


@pytest.mark.parametrize("name", ["keepdim", "dim"])
def test_a_function_of_another_framework_is_told_the_option(run, here, name):
    body = {"keepdim": "g - g.mean(0, keepdim=True)", "dim": "g if g.dim() < 2 else g - g.mean()"}
    (here / "other.py").write_text(f"def centralize(g):\n    return {body[name]}\n", "utf-8")
    status, out, _ = run(*quick("operator:other.py:centralize"))
    assert status == 3
    assert "it was given NumPy arrays" in sentence(out, "ERROR")
    assert "--framework torch" in sentence(out, "ERROR")


def test_the_base_of_a_port(run):
    words = ["--base", "numpy:ports.py:plain_sgdm", "--json", "-"]
    status, out, _ = run(*quick("numpy:ports.py:sgdm", *words))
    report = json.loads(out)
    assert status == 0
    assert "step/base-law" in {c["id"] for c in report["checks"] if c["status"] == "passed"}
    status, out, _ = run(*quick("numpy:ports.py:sgdm_half", *words))
    assert status == 1
    assert "step/base-law" in {
        c["id"] for c in json.loads(out)["checks"] if c["status"] == "failed"
    }


def test_settings_are_python_literals(run):
    status, _, _ = run(*quick("operator:ports.py:scaled", "--set", "scale=1"))
    assert status == 0
