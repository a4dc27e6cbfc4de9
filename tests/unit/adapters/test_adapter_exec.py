"""The adapter for programs: what it asks, what it makes of answers, and the user's words."""

import math
from functools import partial

import numpy as np
import pytest

from gc_ref._conformance.cli.main import main
from gc_ref._conformance.ports.serialization import read_number
from gc_ref._conformance.running import judge_port as _judging
from gc_ref.conformance import PortLoadError, check

from ._exec_child import HELLO, answer
from ._exec_talk import CASE, GRADIENTS, OPTIMIZER, W, fake_port


@pytest.fixture
def fake(monkeypatch):
    """Make a port of a hello and a function of the run."""
    return partial(fake_port, monkeypatch)


def test_what_a_program_is_asked_and_what_its_answer_becomes(fake):
    heard = []
    found = fake(OPTIMIZER, heard=heard, settings={"use_gc": True, "betas": (0.5, 1)}).run(CASE)
    assert heard[0] == {
        "type": "hello",
        "protocol": "gc-ref-exec",
        "versions": [1],
        "settings": {"use_gc": True, "betas": [0.5, 1]},
    }
    array = {"shape": [2, 1], "values": ["0x1p+0", "-0x1.8p-2"]}
    first = {"dense_0.kernel": {"shape": [2, 1], "values": ["0x1p+0", "0x1.8p+1"]}}
    second = {"dense_0.kernel": {"shape": [2, 1], "values": ["0x1.99999ap-4", "inf"]}}
    assert heard[1] == {
        "type": "run",
        "id": 1,
        "case": "probe",
        "dtype": "float32",
        "gc": True,
        "hyperparameters": {"lr": "0x1p-1"},  # not the momentum, which it does not take
        "drive": ["twin"],
        "parameters": [{"name": "dense_0.kernel", "kind": "dense", **array}],
        "gradients": [first, second],
    }
    for step, gradient in zip(found.steps, GRADIENTS, strict=True):
        assert step[W.name].dtype == np.float32
        assert np.array_equal(step[W.name], gradient[W.name])
    assert found.dtypes == {W.name: "float32"}
    assert found.notes == ()


def test_what_a_program_says_of_itself(fake):
    port = fake(
        OPTIMIZER
        | {
            "name": "my\nport",
            "layout": "output-first",
            "dtypes": ["float64", "float32"],
            "hyperparameters": ["lr", "beta1"],
            "fixed": {"eps": "0x1p-3"},
            "algorithm": "adam",
            "conventions": {"epsilon": "hat", "decay": "none"},
            "drives": ["checkpoint"],
            "flush_to_zero": True,
            "versions": {"rust": "1.9", "python": "2.7"},
        },
        conventions={"epsilon": "outside"},
    )
    assert (port.name, port.kind, port.operator) == ("my port", "exec", False)
    assert (port.layout, port.algorithm, port.dtypes) == (
        "output-first", "adam", ("float32", "float64"),
    )  # fmt: skip
    assert port.takes == {"lr", "beta1"}
    assert port.fixed == {"eps": 0.125}
    assert port.conventions == {"epsilon": "outside", "decay": "none"}  # the user's word wins
    assert port.drives == {"checkpoint"}
    assert port.flush_to_zero
    assert port.environment["rust"] == "1.9"
    assert "python" not in port.environment  # the report has ours under that name
    assert port.environment["program's python"] == "2.7"
    assert port.off is None


@pytest.mark.parametrize(
    ("drives", "named"),
    [
        ([], ['"reuse-gradients" (hygiene/state)', '"twin" (hygiene/state)',
              '"checkpoint" (hygiene/checkpoint)']),
        (["checkpoint", "twin"], ['"reuse-gradients" (hygiene/state)']),
    ],
)  # fmt: skip
def test_a_program_is_told_which_drives_it_could_name(fake, drives, named):
    hint = fake(OPTIMIZER | {"drives": drives}).environment["hint"]
    assert hint.startswith(f'its hello leaves out of "drives" {", ".join(named)}: ')
    assert "PROTOCOL.md" in hint


def test_a_program_that_names_all_drives_or_takes_no_steps_is_told_nothing(fake):
    drives = ["reuse-gradients", "twin", "checkpoint"]
    assert "hint" not in fake(OPTIMIZER | {"drives": drives}).environment
    assert "hint" not in fake(HELLO | {"kind": "operator"}).environment


def test_the_users_words_win(fake):
    hello = OPTIMIZER | {"algorithm": "adam"}
    base = fake(OPTIMIZER)
    assert fake(hello, algorithm="sgdm").algorithm == "sgdm"
    assert fake(hello, base=base).algorithm is None  # held to its base, as was asked
    port = fake(hello, name="mine", layout="output-first", target="exec:x", options=("--a", "b"))
    assert (port.name, port.layout) == ("mine", "output-first")
    assert (port.target, port.options) == ("exec:x", ("--a", "b"))


@pytest.mark.parametrize("option", [{"algorithm": "sgdm"}, {"base": "itself"}])
def test_an_operator_takes_no_steps(fake, option):
    if "base" in option:
        option = {"base": fake(OPTIMIZER)}
    with pytest.raises(PortLoadError, match="is an operator, which takes no steps"):
        fake(HELLO, **option)


def test_gc_is_switched_off_by_a_member_of_the_run(fake):
    heard = []
    port = fake(OPTIMIZER | {"switch": True}, heard=heard)
    port.run(CASE)
    port.off.run(CASE)
    assert [ask["gc"] for ask in heard[1:]] == [True, False]
    assert [ask["id"] for ask in heard[1:]] == [1, 2]


@pytest.mark.parametrize(("works", "status"), [(True, "passed"), (False, "failed")])
def test_effect_off_of_a_program(fake, monkeypatch, works, status):
    """An SGD in plain numbers, whose switch works or does not."""
    few = (
        "effect/on",
        "effect/off",
        "value/exact",
        "step/constraint",
        "hygiene/gradient-unmutated",
    )
    monkeypatch.setattr(_judging, "CHECKS", {name: _judging.CHECKS[name] for name in few})

    def sgd(ask):
        lr = read_number(ask["hyperparameters"]["lr"])
        weights = {p["name"]: p["values"] for p in ask["parameters"]}
        steps = []
        for gradients in ask["gradients"]:
            phi = answer({"id": 0, "gradients": [gradients]})["steps"][0]
            fed = phi if ask["gc"] or not works else gradients
            step = {}
            for name, array in fed.items():
                pairs = zip(weights[name], array["values"], strict=True)
                moved = [np.float32(read_number(w) - lr * float.fromhex(g)) for w, g in pairs]
                step[name] = {"shape": array["shape"], "values": [float(m).hex() for m in moved]}
                weights[name] = step[name]["values"]
            steps.append(step)
        return {"id": ask["id"], "steps": steps}

    report = check(fake(OPTIMIZER | {"switch": True, "algorithm": "sgdm"}, sgd), max_examples=0)
    found = {c.id: c.status for c in report.checks}
    assert found.pop("effect/off") == status
    assert set(found.values()) == {"passed", "not-applicable"}
    assert found["hygiene/gradient-unmutated"] == "not-applicable"  # it cannot be seen


@pytest.mark.parametrize("setting", [{1}, math.nan, 1j, b"x"])
def test_settings_must_fit_into_json(fake, setting):
    with pytest.raises(PortLoadError, match="settings must fit into JSON"):
        fake(HELLO, settings={"a": setting})


def test_conventions_are_checked_at_once(fake, capsys):
    with pytest.raises(ValueError, match="scoped"):
        fake(HELLO, conventions={"scoped": "all"})
    with pytest.raises(ValueError, match="an operator takes none"):
        fake(HELLO, conventions={"momentum": "ema"})
    assert main(["check", "exec:fake", "--convention", "momentum=ema"]) == 2
    assert "--convention: convention momentum is about steps" in capsys.readouterr().err
    with pytest.raises(PortLoadError, match=r"its hello's conventions: .* about algorithm sgdm"):
        fake(OPTIMIZER | {"algorithm": "adam", "conventions": {"momentum": "ema"}})
