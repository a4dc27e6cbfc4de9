"""The command gc-ref: its exit statuses, its messages, its files."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import gc_ref
from gc_ref.conformance._checks import CHECKS
from gc_ref.conformance._cli import main
from gc_ref.conformance._conventions import CONVENTIONS
from gc_ref.conformance._deviations import DEVIATIONS

PORTS = """
import ctypes
import os
import sys

import numpy as np


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def half(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True) / 2


def scaled(g, scale):
    return scale * plain(g)


def returns_none(g):
    return None


def returns_list(g):
    return plain(g).tolist()


def other_shape(g):
    return plain(g).ravel()


def other_dtype(g):
    return plain(g).astype(np.float64)


def complex_numbers(g):
    return plain(g).astype(complex)


def objects(g):
    return np.array(plain(g), dtype=object)


def text(g):
    return plain(g).astype(str)


def all_nan(g):
    return g * np.nan


def one_nan(g):
    answer = plain(g).copy()
    answer.flat[0] = np.nan
    return answer


def raises(g):
    raise RuntimeError("no\\nluck")


def leaves(g):
    sys.exit(0)


def recurses(g):
    return recurses(g)


class Abort(BaseException):
    def __str__(self):
        raise ValueError("no words")


def aborts(g):
    raise Abort


def closes(g):
    raise GeneratorExit("half-way")


def interrupts(g):
    raise KeyboardInterrupt


async def waits(g):
    return plain(g)


def writes_below(g):
    os.write(1, b"noise of a system call")
    ctypes.CDLL(None).printf(b"noise of the C library")
    sys.__stdout__.write("noise of Python")
    return plain(g)


def not_in_float64(g):
    if g.dtype == np.float64:
        raise RuntimeError("the third call")
    return plain(g)


def masked(g):
    return np.ma.masked_array(plain(g))


def matrix(g):
    return np.matrix(plain(g)) if g.ndim == 2 else plain(g)


def moves(g):
    os.chdir("/")
    return plain(g)


class RaisesLater:
    calls = 0

    def __call__(self, g):
        RaisesLater.calls += 1
        if RaisesLater.calls > 45:
            raise RuntimeError("in the middle")
        return plain(g)


raises_later = RaisesLater()
number = 3


def sgdm(case, phi=plain):
    weights = {p.name: np.array(p.value) for p in case.parameters}
    momenta = {k: np.zeros_like(w) for k, w in weights.items()}
    steps = []
    for gradients in case.gradients:
        for k, w in weights.items():
            h = {n: w.dtype.type(v) for n, v in case.hyperparameters.items()}
            momenta[k] = h["momentum"] * momenta[k] + (1 - h["momentum"]) * phi(gradients[k])
            weights[k] = (w - h["lr"] * momenta[k]).astype(w.dtype)
        steps.append(dict(weights))
    return steps


def plain_sgdm(case):
    return sgdm(case, lambda g: g)


def sgdm_half(case):
    return sgdm(case, half)


def too_few(case):
    return sgdm(case)[:1]


def loses_one(case):
    return [{k: v for k, v in s.items() if k != "dense_1.bias"} for s in sgdm(case)]


def steps_of_nan(case):
    return [{p.name: p.value * np.nan for p in case.parameters} for _ in case.gradients]


def steps_of_text(case):
    return [{k: np.asarray(v).astype(str) for k, v in s.items()} for s in sgdm(case)]


def steps_leave(case):
    sys.exit(0)


def steps_masked(case):
    return [{k: np.ma.masked_array(v) for k, v in s.items()} for s in sgdm(case)]


def one_array(case):
    return plain(case.gradients[0]["dense_1.kernel"])


def steps_abort(case):
    raise GeneratorExit


async def steps_wait(case):
    return sgdm(case)


def steps_none(case):
    return None
"""
FILES = {
    "ports.py": PORTS,
    "syntax.py": "def f(:\n",
    "raising.py": "raise ValueError('at\\nimport')\n",
    "exiting.py": "import sys\nsys.exit(0)\n",
    "needing.py": "import gc_ref_no_such_module\n",
    "empty.py": "",
    "noisy.py": "print('noise')\nfrom ports import plain\n",
    "noisy_below.py": "import os\nos.write(1, b'noise')\nfrom ports import writes_below\n",
    "ports2.py": "from ports import *\n",
    "moving.py": "import os\nos.chdir('/')\nfrom ports import plain_sgdm\n",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A directory of ports, in which the command is run."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:  # modules of the targets
        if name.startswith("_gc_ref_target_") or f"{name}.py" in FILES:
            del sys.modules[name]


@pytest.fixture
def run(capsys):
    """Run the command in this process: exit status, stdout, stderr."""

    def call(*words):
        try:
            status = main(list(words))
        except SystemExit as left:
            status = left.code
        out, err = capsys.readouterr()
        return status, out, err

    return call


def quick(target, *words):
    return "check", target, "--max-examples", "0", *words


def test_status_0_conforms(run):
    status, out, err = run(*quick("operator:ports.py:plain"))
    assert status == 0
    assert out.startswith("CONFORMS: plain passes ")
    assert err == ""


def test_status_1_deviates(run):
    status, out, err = run(*quick("operator:ports.py:half"))
    assert status == 1
    assert out.startswith("DEVIATES: half fails ")
    assert err == ""


USAGE = [
    ([], ["COMMAND"]),
    (["judge"], ["'judge'", "check"]),
    (["identify", "ports.py"], ["'ports.py'", "KIND:MODULE_OR_FILE.py:ATTRIBUTE"]),
    (["selftest", "--framework", "mxnet"], ["mxnet", "numpy"]),
    (["selftest", "--deviation", "no-such"], ["no-such", "layout-swapped"]),
    (["check", "exec:./port", "sgdm"], ["arguments: sgdm", "quote", "'exec:./port sgdm'"]),
    (["check", "exec:./port", "--sgdm"], ["unrecognized arguments: --sgdm"]),
    (["explain", "layout-swaped"], ["'layout-swaped'", "did you mean layout-swapped"]),
    (["explain", "???"], ["'???'", "gc-ref explain alone lists"]),
    (["explain", "partial-axes/none"], ["'partial-axes/none'", "partial-axes"]),
    (["vectors"], ["ACTION"]),
    (["check", "one", "two"], ["two"]),
    (["check", ""], ["KIND:MODULE_OR_FILE.py:ATTRIBUTE"]),
    (["check", "ports.py"], ["'ports.py'", "KIND:MODULE_OR_FILE.py:ATTRIBUTE"]),
    (["check", "jax:ports.py:plain"], ["'jax'", "operator", "torch", "keras", "optax", "numpy"]),
    (["check", "exec: "], ["no command", "exec:"]),
    (["check", "programs:ports.py:plain"], ["'programs'", "operator", "exec:COMMAND"]),
    (["check", "operator:ports.py:plain", "--timeout", "5"], ["--timeout", "exec"]),
    (["check", "--timeout", "5"], ["--timeout", "TARGET"]),
    *((["check", "exec:true", "--timeout", t], [t, "seconds"]) for t in ("0", "nan", "inf", "x")),
    (["check", "operator:ports.py"], ["operator:ports.py", "KIND:MODULE_OR_FILE.py:ATTRIBUTE"]),
    (["check", "operator:ports.py:"], ["operator:ports.py:", "ATTRIBUTE"]),
    (["check", "operator::plain"], ["operator::plain", "ATTRIBUTE"]),
    (["check", "--seed", "-1"], ["--seed", "-1"]),
    (["check", "--seed", "one"], ["--seed", "'one'", "whole number"]),
    (["check", "--max-examples", "1.5"], ["--max-examples", "'1.5'"]),
    (["check", "--min-checks", "-2"], ["--min-checks", "'-2'"]),
    (["check", "--suite", "slow"], ["--suite", "'slow'", "quick", "full"]),
    (["check", "--layout", "output-middle"], ["--layout", "output-middle", "output-last"]),
    (["check", "--algorithm", "lion"], ["--algorithm", "'lion'", "sgdm", "adam"]),
    (["check", "--framework", "mxnet"], ["--framework", "'mxnet'", "torch"]),
    (["check", "--convention", "ema"], ["--convention", "'ema'", "FIELD=VALUE"]),
    (["check", "--convention", "mood=good"], ["--convention", "'mood'", "momentum"]),
    (["check", "--convention", "momentum=good"], ["momentum", "'good'", "heavy-ball"]),
    (
        ["check", "--convention", "momentum=ema", "--convention", "momentum=velocity"],
        ["momentum", "twice"],
    ),
    (
        ["check", "--layout", "output-first", "--convention", "layout=output-last"],
        ["--layout", "contradict"],
    ),
    (["check", "operator:ports.py:plain", "--set", "scale"], ["--set", "'scale'", "NAME=VALUE"]),
    (["check", "operator:ports.py:plain", "--set", "2=3"], ["--set", "'2=3'", "NAME=VALUE"]),
    (["check", "operator:ports.py:plain", "--set"], ["--set"]),
    (["check", "--set", "scale=1"], ["--set", "TARGET"]),
    (["check", "--base", "numpy:ports.py:plain_sgdm"], ["--base", "TARGET"]),
    (["check", "--framework", "numpy"], ["--framework", "TARGET"]),
    (["check", "--base-set", "scale=1"], ["--base-set", "--base"]),
    (["check", "numpy:ports.py:sgdm", "--base-set", "a=1"], ["--base-set", "--base"]),
    (["check", "numpy:ports.py:sgdm", "--framework", "numpy"], ["--framework", "operator"]),
    (["check", "operator:ports.py:plain", "--algorithm", "sgdm"], ["--algorithm", "operator"]),
    (
        ["check", "operator:ports.py:plain", "--base", "operator:ports.py:half"],
        ["--base", "operator"],
    ),
    (["check", "numpy:ports.py:sgdm", "--base", "torch:ports.py:x"], ["--base", "numpy", "torch"]),
    (["check", "numpy:ports.py:sgdm", "--base", "what:ports.py:x"], ["'what'", "operator"]),
    (
        ["check", "optax:ports.py:sgdm", "--base", "torch:ports.py:x"],
        ["the base of an optax port is an optax target"],
    ),
    (["check", ":ports.py:sgdm", "--base", "torch:ports.py:x"], ["unknown kind ''"]),
    (
        ["check", "numpy:ports.py:sgdm", "--algorithm", "adam", "--convention", "momentum=ema"],
        ["--convention", "momentum", "sgdm", "adam"],
    ),
    (
        ["check", "numpy:ports.py:sgdm", "--algorithm", "sgdm", "--convention", "epsilon=hat"],
        ["--convention", "epsilon", "sgdm", "adam"],
    ),
    (["check", "--algorithm", "adam", "--convention", "first_momentum=zero"], ["first_momentum"]),
    (["check", "operator:ports.py:plain", "--convention", "decay=l2"], ["decay", "operator"]),
    (["check", "--convention", "placement=update"], ["placement", "operator"]),
    (["check", "--markdown", "no/report.md"], ["--markdown"]),
    (["check", "--html", "no/report.html"], ["--html"]),
    (["report"], ["FILE"]),
    (["check", "--expected", "known.toml"], ["known.toml: No such file"]),
    (["check", "--max", "3"], ["--max"]),  # no abbreviations
]


@pytest.mark.parametrize(("words", "needed"), USAGE, ids=lambda x: " ".join(x)[:60] or "nothing")
def test_status_2_usage_is_one_line(run, words, needed):
    status, out, err = run(*words)
    assert status == 2
    assert out == ""
    assert err.startswith("gc-ref: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert all(word in err for word in needed), err


@pytest.mark.parametrize("path", ["missing/report.json", "."])
def test_a_report_that_cannot_be_written_is_a_usage_error(run, path):
    status, out, err = run(*quick("operator:ports.py:plain", "--json", path))
    assert (status, out) == (2, "")
    assert err.startswith(f"gc-ref: --json {path}: ")
    assert err.count("\n") == 1


NOT_LOADED = [
    ("operator:missing.py:f", ["missing.py", "no file"]),
    ("operator:./missing:f", ["missing", "no file"]),
    ("operator:gc_ref_no_such_module:f", ["gc_ref_no_such_module", "ModuleNotFoundError"]),
    ("operator:syntax.py:f", ["syntax.py", "SyntaxError", "line 1"]),
    ("operator:raising.py:f", ["raising.py", "ValueError: at import"]),
    ("operator:exiting.py:f", ["exiting.py", "SystemExit"]),
    ("operator:needing.py:f", ["needing.py", "gc_ref_no_such_module"]),
    ("operator:empty.py:f", ["empty.py", "'f'"]),
    ("operator:ports.py:plane", ["ports.py", "'plane'", "it has:"]),
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
    found = re.search(rf"^{head}  (.*?)^  rerun: ", out, re.DOTALL | re.MULTILINE)
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
    with pytest.raises(KeyboardInterrupt):
        run(*quick("operator:ports.py:interrupts"))


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
    status, out, err = run(*quick(*words))
    assert status == 1, out + err
    assert "Traceback" not in out + err
    assert err == ""
    message = sentence(out, f"FAILED  {re.escape(check)}")
    assert all(word in message for word in needed), out


def test_a_port_of_nan_is_not_said_to_be_free_of_means(run):
    """A port whose every answer is NaN shows nothing: not that GC acts."""
    _, out, _ = run(*quick("numpy:ports.py:steps_of_nan", "--json", "-"))
    statuses = {c["id"]: c["status"] for c in json.loads(out)["checks"]}
    assert statuses["effect/on"] != "passed"
    assert statuses["law/shift-invariant"] != "passed"


@pytest.mark.parametrize("enough", [True, False])
def test_status_4_too_few_checks(run, enough):
    _, out, _ = run(*quick("operator:ports.py:plain"))
    count = int(re.match(r"CONFORMS: plain passes (\d+) of", out)[1])
    asked = count if enough else count + 1
    status, out, err = run(*quick("operator:ports.py:plain", "--min-checks", str(asked)))
    assert out.startswith("CONFORMS")
    if enough:
        assert (status, err) == (0, "")
    else:
        message = f"gc-ref: only {count} checks ran, --min-checks asks for {asked}\n"
        assert (status, err) == (4, message)


@pytest.mark.parametrize(
    ("words", "name", "step"),
    [
        ([], "gc_ref.centralize", None),
        (["--algorithm", "sgdm"], "gc_ref.sgdm_step", "step/sgdm"),
        (["--algorithm", "adam"], "gc_ref.adam_step", "step/adam"),
        (["--layout", "output-first"], "gc_ref.centralize", None),
        (["--convention", "layout=output-first", "--algorithm", "sgdm"], "gc_ref.sgdm_step", None),
    ],
)
def test_without_a_target_the_reference_itself_is_judged(run, words, name, step):
    status, out, err = run("check", "--max-examples", "2", "--json", "-", *words)
    assert (status, err) == (0, "")
    report = json.loads(out)
    assert (report["port"]["name"], report["verdict"]) == (name, "conforms")
    assert step in {c["id"] for c in report["checks"] if c["status"] == "passed"} | {None}
    assert not any(c["status"] == "failed" for c in report["checks"])
    layout = "output-first" if "output-first" in " ".join(words) else "output-last"
    assert report["conventions"]["layout"]["value"] == layout


def test_the_rerun_command_of_the_reference_is_a_command(run):
    _, out, _ = run("check", "--max-examples", "0", "--algorithm", "sgdm")
    rerun = out.rstrip().splitlines()[-1]
    assert rerun == "Rerun: gc-ref check --algorithm sgdm --suite quick --seed 0 --max-examples 0"


def test_json_to_a_file_comes_with_the_text(run, here):
    status, out, _ = run(*quick("operator:ports.py:half", "--json", "report.json"))
    assert status == 1
    assert out.startswith("DEVIATES")
    assert json.loads((here / "report.json").read_text(encoding="utf-8"))["verdict"] == "deviates"


def test_json_to_stdout_comes_alone(run, here):
    status, out, _ = run(*quick("operator:ports.py:half", "--json", "-"))
    assert status == 1
    assert json.loads(out)["verdict"] == "deviates"
    assert not (here / "-").exists()


def test_the_same_seed_gives_the_same_bytes(run, here):
    def report(*words):
        target = "operator:ports.py:half"
        found = run("check", target, "--max-examples", "3", "--json", "report.json", *words)
        return *found, (here / "report.json").read_bytes()

    first, again, other = report(), report(), report("--seed", "5")
    assert first == again
    assert other[0] == first[0] == 1
    assert other[1] != first[1]
    assert other[3] != first[3]


def test_what_a_target_prints_stays_out_of_the_report(run):
    status, out, err = run(*quick("operator:noisy.py:plain", "--json", "-"))
    assert (status, err) == (0, "")
    assert json.loads(out)["verdict"] == "conforms"


def test_what_a_target_writes_below_python_stays_out_too(capfd):
    ran = command(*quick("operator:noisy_below.py:writes_below", "--json", "-"))
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout)["verdict"] == "conforms"
    assert main(list(quick("operator:noisy_below.py:writes_below", "--json", "-"))) == 0
    os.write(1, b"\n")  # the descriptor is given back
    assert json.loads(capfd.readouterr().out)["verdict"] == "conforms"


def test_standard_output_may_be_no_file(here, monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert main(list(quick("operator:ports.py:writes_below", "--json", "-"))) == 0
    assert json.loads(sys.stdout.getvalue())["verdict"] == "conforms"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("words", [["operator:ports.py:plain"], ["operator:missing.py:f"]])
def test_standard_output_may_be_closed(here, words):
    report = ["--json", "report.json"]
    script = [sys.executable, "-m", "gc_ref.conformance._cli", *quick(*words, *report)]
    ran = subprocess.run(
        ["sh", "-c", shlex.join(script) + " >&-"], stderr=subprocess.PIPE, check=False
    )
    assert b"Traceback" not in ran.stderr
    assert ran.returncode == (0 if "plain" in words[0] else 3)
    assert (here / "report.json").exists() == (ran.returncode == 0)


def test_a_port_that_changes_the_directory(run, here):
    status, _, err = run(*quick("operator:ports.py:moves", "--json", "report.json"))
    assert (status, err) == (0, "")
    assert json.loads((here / "report.json").read_text("utf-8"))["verdict"] == "conforms"
    assert Path.cwd() == here


@pytest.mark.parametrize("target", ["numpy:ports.py:sgdm", "numpy:ports2:sgdm"])
def test_a_base_that_changes_the_directory(run, here, target):
    words = ["--base", "numpy:moving.py:plain_sgdm", "--json", "report.json"]
    status, _, err = run(*quick(target, *words))
    assert (status, err) == (0, "")
    assert json.loads((here / "report.json").read_text("utf-8"))["port"]["name"] == "sgdm"


def test_a_module_of_the_working_directory_is_a_target_too(run):
    assert run(*quick("operator:ports:plain"))[0] == 0


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


def test_help_lists_what_exists_and_nothing_else(run):
    status, out, _ = run("check", "--help")
    assert status == 0
    assert set(re.findall(r"--[a-z-]+", out)) == {
        "--help", "--framework", "--layout", "--algorithm", "--base", "--set", "--base-set",
        "--convention", "--suite", "--max-examples", "--seed", "--json", "--min-checks",
        "--timeout", "--verbose", "--suite-version", "--vectors", "--markdown", "--html", "--badge",
        "--expected", "--accept",
    }  # fmt: skip
    for kind in ("operator", "torch", "keras", "optax", "numpy"):
        assert f"  {kind} " in out
    for status in ("0 conforms", "1 deviates", "2 wrong usage", "3 the port", "4 fewer checks"):
        assert status in out
    assert "exec:COMMAND" in out


def test_help_lists_the_commands(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("check", "identify", "selftest", "explain", "vectors"):
        assert command in out


def test_identify_says_what_a_wrong_port_does(run):
    status, out, err = run("identify", *quick("operator:ports.py:half")[1:])
    assert (status, err) == (1, "")
    assert out.splitlines()[2] == "Identified: 0.5 times the mean is removed (`partial`)"
    assert "FAILED" not in out


def test_identify_names_the_conventions_of_a_right_port(run):
    status, out, err = run("identify", *quick("operator:ports.py:plain")[1:])
    assert (status, err) == (0, "")
    assert "It removes the mean over all inputs of each output neuron" in out
    assert "  layout = output-last (declared)" in out


def test_identify_of_a_port_that_cannot_be_driven(run):
    status, out, _ = run("identify", *quick("operator:ports.py:returns_none")[1:])
    assert status == 3
    assert out.startswith("ERROR: returns_none could not be judged to the end")
    assert "NoneType" in out


def test_the_report_says_what_was_identified(run):
    status, out, _ = run(*quick("operator:ports.py:half"), "--json", "-")
    report = json.loads(out)
    assert status == 1
    assert report["identified"] == ["partial"]
    assert report["diagnosis"] == ["0.5 times the mean is removed (`partial`)"]


@pytest.mark.parametrize(
    ("id", "needed"),
    [
        ("law/linear", "Eq. 2"),
        ("layout-swapped", "seen in"),
        ("partial-axes/outputs", "breaks"),
        ("placement", "decayed-gradient: centralizes the gradient with its L2 decay"),
    ],
)
def test_explain(run, id, needed):
    status, out, err = run("explain", id)
    assert (status, err) == (0, "")
    assert out.startswith(f"{id} (")
    assert needed in " ".join(out.split())
    assert out.count("\n") >= 4


def test_explain_alone_lists_what_there_is(run):
    status, out, err = run("explain")
    assert (status, err) == (0, "")
    words = set(re.findall(r"[\w/-]+(?:\.\d)?", out))
    assert {*CHECKS, *DEVIATIONS, *CONVENTIONS} <= words


def test_selftest_of_one_deviation(run):
    status, out, err = run("selftest", "--framework", "numpy", "--deviation", "vectors-erased")
    assert (status, err) == (0, "")
    lines = [line for line in out.splitlines() if line.startswith("numpy")]
    assert [line.split()[1] for line in lines] == ["control", "absurd", *["vectors-erased"] * 2]
    assert all(line.endswith("identified") for line in lines[2:])
    assert "4 of 4 ports judged as they must be; not judged: torch, jax, keras" in out


def test_selftest_fails_if_a_deviation_gets_away(run, monkeypatch):
    from gc_ref.conformance import _selftest

    monkeypatch.setattr(_selftest, "caught", lambda deviation, report: False)
    status, out, _ = run("selftest", "--framework", "numpy", "--deviation", "vectors-erased")
    assert status == 1
    assert "NOT CAUGHT" in out
    assert "2 of 4 ports" in out


def test_version(run):
    assert run("--version") == (0, f"gc-ref {gc_ref.__version__}\n", "")


def command(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "gc_ref.conformance._cli", *words],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


def test_the_process_has_the_same_statuses():
    for words, status in (
        (["check", "--suite", "slow"], 2),
        (quick("operator:missing.py:f"), 3),
        (quick("operator:ports.py:plain", "--min-checks", "99"), 4),
    ):
        ran = command(*words)
        assert ran.returncode == status, ran.stderr
        assert b"Traceback" not in ran.stderr


def test_two_processes_print_the_same_bytes():
    words = ["check", "operator:ports.py:half", "--max-examples", "3", "--json", "-"]
    first, again = (command(*words, PYTHONHASHSEED=seed) for seed in ("1", "2"))
    assert first.stdout == again.stdout
    assert first.returncode == 1


def test_a_terminal_that_knows_ascii_only_is_no_reason_to_fail():
    for words, status in (
        (["check", "--help"], 0),
        (quick("operator:ports.py:half", "--json", "-"), 1),
    ):
        ran = command(*words, PYTHONIOENCODING="ascii")
        assert ran.returncode == status, ran.stderr
        assert b"Traceback" not in ran.stderr
