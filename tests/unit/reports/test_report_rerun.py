"""The rerun command of a report: it gives the same report again."""

import json
import shlex

import pytest

from gc_ref._conformance.cli.main import main
from gc_ref.conformance import check, operator_port

SOURCE = """
def half(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True) / 2


def scaled(g, by, why=""):
    return half(g) * by


def sgd(case, by=1.0):
    weights, steps = {p.name: p.value for p in case.parameters}, []
    for gradients in case.gradients:
        lr = case.hyperparameters["lr"] * by
        weights = {k: w - w.dtype.type(lr) * half(gradients[k]) for k, w in weights.items()}
        steps.append(weights)
    return steps
"""


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


@pytest.mark.parametrize(
    "words",
    [
        ["operator:my ports.py:half"],
        ["operator:my ports.py:half", "--seed", "7", "--max-examples", "2"],
        ["operator:my ports.py:half", "--layout", "output-first", "--convention", "scope=all"],
        ["operator:my ports.py:scaled", "--set", "by=2", "--set", "why=it's $HOME \"quoted\""],
        ["numpy:my ports.py:sgd", "--max-examples", "0", "--algorithm", "sgdm", "--set", "by=0.5",
         "--convention", "momentum=heavy-ball"],
        ["numpy:my ports.py:sgd", "--max-examples", "0", "--base", "numpy:my ports.py:sgd",
         "--base-set", "by=2.0"],
        ["--layout", "output-first", "--max-examples", "1"],
    ],
    ids=lambda words: " ".join(words)[:50],
)  # fmt: skip
def test_the_rerun_command_gives_the_same_report(tmp_path, monkeypatch, capsys, words):
    (tmp_path / "my ports.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    status = main(["check", *words, "--json", "-"])
    first = capsys.readouterr().out
    [rerun] = {c["rerun"] for c in json.loads(first)["checks"]}
    program, *again = shlex.split(rerun)
    assert program == "gc-ref"
    assert main([*again, "--json", "-"]) == status
    assert capsys.readouterr().out == first


def test_a_port_made_in_python_is_rerun_in_python():
    port = operator_port(plain, name="no name of Python's")
    report = check(port, seed=3, max_examples=0)
    assert report.rerun == "check(port, suite='quick', seed=3, max_examples=0)"
    assert eval(report.rerun).to_json() == report.to_json()


@pytest.mark.keras
def test_a_keras_port_is_run_again_on_its_backend():
    import keras

    from gc_ref._conformance.running.judge_port import RunOptions, rerun_command
    from gc_ref._conformance.testing.judged_port import JudgedPort
    from gc_ref.conformance import keras_port

    target = "keras:keras.optimizers:SGD"
    port = keras_port(keras.optimizers.SGD, algorithm="sgdm", target=target)
    chosen = f"KERAS_BACKEND={keras.backend.backend()} "
    again = rerun_command(port, RunOptions())
    assert again == f"{chosen}gc-ref check {target} --suite quick --seed 0"
    assert JudgedPort(port, None).rerun("t.py::t[SGD]") == f"{chosen}pytest 't.py::t[SGD]'"
