"""The command gc-ref: what its exit statuses mean, and usage errors in one line."""

import json
import re

import pytest

from ._cli_command import command, quick


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
    (["judge"], ["no command 'judge'", "check"]),
    (["chekc", "operator:ports.py:plain"], ["no command 'chekc'", "did you mean 'check'?"]),
    (["identify", "ports.py"], ["'ports.py' names no kind", "torch:ports.py:NAME"]),
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
    (["check", "ports.py"], ["'ports.py' names no kind", "torch:ports.py:NAME"]),
    (
        ["check", "gc_torch.py:X"],
        ["names no kind", "torch:gc_torch.py:X", "operator, torch, keras"],
    ),
    (["check", "torch.optim:SGD"], ["names no kind", "torch:torch.optim:SGD"]),
    (["check", "torhc:ports.py"], ["unknown kind 'torhc'", "did you mean 'torch'?"]),
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
    (
        ["check", "--algorithm", "lion"],
        ["--algorithm", "'lion'", "sgdm (Algorithm 1) and adam", "--base torch:torch.optim:"],
    ),
    (
        ["check", "--algorithm", "adamw"],
        [
            "decoupled weight decay",
            "--convention decay=decoupled",
            "--base torch:torch.optim:AdamW",
        ],
    ),
    (["check", "--algorithm", "sgd"], ["--algorithm sgdm"]),
    (["check", "--algorithm", "Adam"], ["did you mean 'adam'?"]),
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
    (["check", "--switch", "use_gc"], ["--switch", "TARGET"]),
    (["check", "numpy:ports.py:sgdm", "--switch", "use_gc"], ["--switch", "torch"]),
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
    (["check", "torch:x.py:X", "--base", "SGD"], ["write --base torch:torch.optim:SGD,"]),
    (["check", "torch:x.py:X", "--base", "torch.optim:adamw"], ["--base torch:torch.optim:AdamW,"]),
    (["check", "torch:x.py:X", "--base", "torch.optim.Adam"], ["--base torch:torch.optim:Adam,"]),
    (["check", "keras:x.py:X", "--base", "Lion"], ["write --base keras:keras.optimizers:SGD,"]),
    (["check", "optax:x.py:x", "--base", "Adam"], ["write --base optax:optax:adam,"]),
    (["check", "numpy:x.py:x", "--base", "b.py:run"], ["write --base numpy:b.py:run,"]),
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
    [rerun] = [line for line in out.splitlines() if line.startswith("Rerun: ")]
    assert rerun == "Rerun: gc-ref check --algorithm sgdm --suite quick --seed 0 --max-examples 0"


def test_the_process_has_the_same_statuses():
    for words, status in (
        (["check", "--suite", "slow"], 2),
        (quick("operator:missing.py:f"), 3),
        (quick("operator:ports.py:plain", "--min-checks", "99"), 4),
    ):
        ran = command(*words)
        assert ran.returncode == status, ran.stderr
        assert b"Traceback" not in ran.stderr
