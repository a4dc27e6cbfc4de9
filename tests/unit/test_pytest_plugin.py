"""parametrize_with_checks and the pytest plugin, from a wheel that is installed elsewhere.

The tests run pytest in a folder of its own, where nothing of this repository can be found.
"""

import dataclasses
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gc_ref.conformance import check, operator_port, parametrize_with_checks
from gc_ref.conformance._checks import CHECKS
from gc_ref.conformance._session_report import join

ROOT = Path(__file__).parents[2]
MODULE = """
def first_axis(g):
    if g.ndim < 2:
        return g
    return g - g.mean(axis=0, keepdims=True)


def right(g):
    if g.ndim < 2:
        return g
    return g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def nothing(g):
    return None
"""
TEST = """
import my_gc
from gc_ref.conformance import operator_port, parametrize_with_checks

ports = [operator_port(getattr(my_gc, name)) for name in {names}]

@parametrize_with_checks(ports, expected_failed_checks={known!r})
def test_gc(port, check):
    check(port)
"""
FAILED = ["scope/every-weight", "value/exact", "value/bounded", "law/orthogonal"]
NOT_APPLICABLE = [
    "effect/off", "step/sgdm", "step/adam", "step/base-law", "step/constraint",
    "step/theorem-4.1", "hygiene/checkpoint",
]  # fmt: skip
ALL, SKIPPED = len(CHECKS), len(NOT_APPLICABLE)


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder that the wheel is installed into; built once, whatever xdist does."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "gc-ref-installed"
    if not shared.exists():
        own = tmp_path_factory.mktemp("wheel")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
        subprocess.run([*pip, "wheel", "--no-deps", "-w", own, ROOT], check=True)
        (wheel,) = own.glob("gc_ref-*.whl")
        target = own / "site"
        subprocess.run(
            [*pip, "install", "--no-deps", "--no-index", "--target", target, wheel], check=True
        )
        try:
            target.rename(shared)
        except OSError:  # another worker was faster
            assert shared.is_dir()
    return shared


@pytest.fixture
def project(pytester, monkeypatch):
    """An empty folder in which pytest runs in this process, with the plugin of this repository."""
    for name in ("PYTEST_ADDOPTS", "GC_REF_REQUIRE_FRAMEWORKS", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    return pytester


@pytest.fixture
def wheel(project, monkeypatch, installed):
    """The same, where another process finds the wheel, and its plugin by the entry point."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return project


@pytest.fixture
def plugin(pytestconfig):
    """Words that load the plugin, where this repository is not installed."""
    return [] if pytestconfig.pluginmanager.hasplugin("gc_ref") else ["-p", "_gc_ref_pytest"]


@pytest.fixture
def run(project, plugin):
    """Write a test file for some operators of MODULE, and run pytest on it."""

    def write_and_run(names, *words, known=None):
        project.makepyfile(my_gc=MODULE, test_mine=TEST.format(names=names.split(), known=known))
        return project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0", *words)

    return write_and_run


@pytest.fixture
def run_wheel(wheel):
    """The same with the wheel."""

    def write_and_run(names, *words):
        wheel.makepyfile(my_gc=MODULE, test_mine=TEST.format(names=names.split(), known=None))
        options = ["-p", "no:cacheprovider", "--gc-ref-max-examples=0", *words]
        return wheel.runpytest_subprocess(*options)

    return write_and_run


# ---- what is installed


def test_the_wheel_holds_the_package_and_the_plugin_alone(installed):
    assert {p.name for p in installed.iterdir()} - {"bin", "__pycache__"} == {
        "gc_ref", "_gc_ref_pytest.py", next(p.name for p in installed.glob("gc_ref-*.dist-info"))
    }  # fmt: skip


def test_the_plugin_imports_nothing_at_the_start(wheel):
    wheel.makeconftest("""
        import sys

        def pytest_sessionstart(session):
            assert session.config.pluginmanager.hasplugin("gc_ref")
            loaded = {"gc_ref", "numpy", "array_api_compat"} & set(sys.modules)
            assert not loaded, loaded
    """)
    wheel.makepyfile("import sys\n\ndef test_other(): assert 'gc_ref' not in sys.modules")
    result = wheel.runpytest_subprocess("--gc-ref-json=reports.json")
    result.assert_outcomes(passed=1)
    assert json.loads((wheel.path / "reports.json").read_text("utf-8")) == []


def test_coverage_of_a_users_package_is_not_disturbed(run_wheel):
    pytest.importorskip("pytest_cov")
    result = run_wheel("first_axis right nothing", "--cov=my_gc", "--cov-report=term-missing")
    result.stdout.fnmatch_lines(["my_gc.py * 100%*"])
    assert "never imported" not in result.stdout.str() + result.stderr.str()


# ---- the tests


def test_each_check_is_a_test_with_its_id(run):
    result = run("right first_axis", "--collect-only", "-q")
    assert result.ret == 0
    lines = [x for x in result.outlines if "::" in x]
    assert lines == [
        f"test_mine.py::test_gc[{p}-{id}]" for p in ("right", "first_axis") for id in CHECKS
    ]


def test_a_right_port(run_wheel):
    result = run_wheel("right", "-rs")
    result.assert_outcomes(passed=ALL - SKIPPED, skipped=SKIPPED)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SKIPPED * step/adam: the port is not held to Algorithm 2"])


def test_a_wrong_port_and_what_is_printed(run):
    result = run("first_axis")
    result.assert_outcomes(passed=ALL - SKIPPED - len(FAILED), skipped=SKIPPED, failed=len(FAILED))
    result.stdout.fnmatch_lines([
        "*test_gc[[]first_axis-scope/every-weight]*",
        "scope/every-weight  [[]Eq. 1; Scope] every weight in scope loses the mean*",
        "  gradient over the inputs of that output, step 1: [[]6, 4, 6, -4]",
        "  at index (0, 0, 3, 1) after step 1: expected -7, got 0, bound *",
        "  rerun: pytest 'test_mine.py::test_gc[[]first_axis-scope/every-weight]' "
        "--gc-ref-max-examples=0",
        "  Identified: averages the first axis only (`partial-axes`)",
        "  replay, without gc-ref:",
        "    from my_gc import first_axis",
        "    assert abs(got - expected) <= bound, *",
    ])  # fmt: skip
    assert "_sitting.py" not in result.stdout.str(), "no traceback of our own code"


def test_the_diagnosis_is_printed_where_it_costs_little():
    cheap = operator_port(first_axis)
    for port, known in ((cheap, True), (dataclasses.replace(cheap, per_run_cost="dear"), False)):
        tests = [p.values[1] for p in parametrize_with_checks(port).args[1]]
        value = next(t for t in tests if t.id == "value/exact")
        value.sitting.configure(max_examples=0)
        assert ("Identified: averages the first axis only" in _failure(value, port)) is known
        for id in CHECKS:
            value.sitting.find(id)
        assert "Identified: averages the first axis only" in _failure(value, port), "all checks ran"


def _failure(test, port):
    """Return what pytest prints of a check that fails."""
    with pytest.raises(pytest.fail.Exception) as caught:
        test(port)
    return str(caught.value)


def test_the_rerun_command_runs_that_test_alone(project, plugin, run):
    line = next(x for x in run("first_axis").outlines if x.startswith("  rerun: pytest"))
    words = line.removeprefix("  rerun: pytest ").replace("'", "").split()
    result = project.runpytest_inprocess(*plugin, *words)
    result.assert_outcomes(failed=1)


def test_some_of_the_checks(run):
    result = run("right first_axis", "-k", "first_axis-scope/every-weight", "--gc-ref-min-checks=2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["gc-ref: only 1 check said something of a port, *asks for 2"])
    result = run("right", "-k", "law/linear or value/exact")
    result.assert_outcomes(passed=2, deselected=ALL - 2)


def test_the_last_failed(project, plugin, run):
    run("first_axis")
    project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0")
    result = project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0", "--lf")
    result.assert_outcomes(failed=len(FAILED))


def test_a_port_that_cannot_be_driven(run):
    result = run("nothing")
    result.assert_outcomes(failed=ALL)
    result.stdout.fnmatch_lines(["  nothing returned NoneType for dense_0.kernel of shape*"])


def test_under_xdist_as_alone(wheel, run_wheel):
    pytest.importorskip("xdist")
    junit, path = wheel.path / "out.xml", wheel.path / "reports.json"
    alone = run_wheel("right first_axis", "--gc-ref-json=reports.json", f"--junitxml={junit}")
    reports, tests = path.read_text("utf-8"), _outcomes(junit)
    path.unlink()
    both = run_wheel(
        "right first_axis", "--gc-ref-json=reports.json", f"--junitxml={junit}", "-n", "2"
    )
    assert both.parseoutcomes() == alone.parseoutcomes()
    assert path.read_text("utf-8") == reports
    assert _outcomes(junit) == tests
    assert len(tests) == 2 * ALL


def _outcomes(path):
    """Name to outcome of each test in a JUnit file."""
    return {
        case.get("name"): [child.tag for child in case]
        for case in ET.parse(path).getroot().iter("testcase")
    }


def test_the_reports_are_those_of_check(project, run):
    run("right first_axis", "--gc-ref-json=reports.json")
    got = json.loads((project.path / "reports.json").read_text("utf-8"))
    space = {}
    exec(MODULE, space)
    for report, name in zip(got, ("first_axis", "right"), strict=True):
        want = check(operator_port(space[name], name=name), max_examples=0).to_dict()
        for entry in (*report["checks"], *want["checks"]):
            entry.pop("rerun")
            entry.pop("replay", None)
        assert report == want


@pytest.mark.parametrize("known", [None, {"value/exact": "later", "law/linear": "later"}])
def test_the_report_is_of_the_whole_port_whatever_was_selected(project, run, known):
    path = project.path / "reports.json"
    run("first_axis", "--gc-ref-json=reports.json", known=known)
    whole = path.read_text("utf-8")
    path.unlink()
    result = run("first_axis", "-k", "law/zero-mean", "--gc-ref-json=reports.json", known=known)
    result.assert_outcomes(passed=1, deselected=ALL - 1)
    assert path.read_text("utf-8") == whole
    (report,) = json.loads(whole)
    assert [c["id"] for c in report["checks"]] == list(CHECKS)
    assert (report["verdict"], report["identified"]) == ("deviates", ["partial-axes"])
    reruns = {c["id"]: c["rerun"] for c in report["checks"]}
    assert "test_gc[first_axis-value/exact]" in reruns["value/exact"]


def test_two_ports_of_one_name_are_two_reports(project, run):
    text = TEST.format(names=["right"], known=None)
    other = text.replace("getattr(my_gc, name)", "my_gc.first_axis, name='right'")
    project.makepyfile(test_other=other)
    run("right", "-k", "law/zero-mean", "--gc-ref-json=reports.json")
    reports = json.loads((project.path / "reports.json").read_text("utf-8"))
    assert [(r["port"]["name"], r["verdict"]) for r in reports] == [
        ("right", "conforms"), ("right", "deviates")
    ]  # fmt: skip


def test_a_port_whose_process_crashed_does_not_conform():
    mark = parametrize_with_checks(operator_port(first_axis))
    by_id = {p.values[1].id: p.values[1] for p in mark.args[1]}
    by_id["law/zero-mean"](mark.args[1][0].values[0])
    (report,) = join([by_id["law/zero-mean"].entry()], [])
    assert [c["status"] for c in report["checks"]] == ["passed"]
    assert report["verdict"] == "error"
    assert f"{ALL - 1} of {ALL} checks missing" in report["notes"][0]


def test_without_the_plugin(run_wheel):
    result = run_wheel("right", "-p", "no:gc_ref")
    assert result.ret == 4, "its options are unknown then"


# ---- known failures


def test_known_failures_are_xfailed(run):
    known = {id: {"reason": "later", "deviation": "partial-axes"} for id in FAILED}
    result = run("first_axis", "-rx", known=known)
    assert result.ret == 0
    result.assert_outcomes(passed=ALL - SKIPPED - len(FAILED), skipped=SKIPPED, xfailed=len(FAILED))
    result.stdout.fnmatch_lines(["XFAIL *first_axis-value/exact] - value/exact: later"])


@pytest.mark.parametrize(
    ("id", "entry", "message"),
    [
        ("law/linear", "why", "*it passes, and the list of known failures expects it to fail*"),
        ("step/adam", "why", "*it does not apply (the port is not held to Algorithm 2)*"),
        (
            "value/exact", {"reason": "why", "deviation": "whole-tensor"},
            "*by whole-tensor, but*",
        ),
    ],
)  # fmt: skip
def test_known_failures_are_strict(project, run, id, entry, message):
    project.makeini("[pytest]\nxfail_strict = false\n")
    result = run("first_axis", "-k", id, known={id: entry})
    assert result.ret == 1
    result.assert_outcomes(failed=1, deselected=ALL - 1)
    result.stdout.fnmatch_lines([message])


def test_a_known_failure_fails_under_runxfail(run):
    result = run("first_axis", "--runxfail", "-k", "value/exact", known={"value/exact": "later"})
    result.assert_outcomes(failed=1, deselected=ALL - 1)


def test_known_failures_from_a_file(project, run):
    text = "".join(f'[ports."first_axis"."{id}"]\nreason = "later"\n' for id in FAILED)
    (project.path / "known.toml").write_text(text, encoding="utf-8")
    result = run("first_axis right", known="known.toml")
    result.assert_outcomes(
        passed=2 * (ALL - SKIPPED) - len(FAILED), skipped=2 * SKIPPED, xfailed=len(FAILED)
    )


def test_a_file_serves_the_ports_of_other_modules_too(project, run):
    text = "".join(f'[ports."{p}"."{FAILED[1]}"]\nreason = "later"\n' for p in ("a", "first_axis"))
    (project.path / "known.toml").write_text(text, encoding="utf-8")
    result = run("first_axis right", "-k", FAILED[1], known="known.toml")
    result.assert_outcomes(passed=1, xfailed=1, deselected=2 * ALL - 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[ports."rigth"."value/exact"]\nreason = "r"\n[ports."b"."value/exact"]\nreason="r"\n',
            'known.toml lists nothing for "right"; it has sections for "rigth", "b"; '
            "did you mean 'rigth'[?]",
        ),
        ('[ports."right"."value/exact"]\n', "known.toml: *value/exact: no reason: say why*"),
        ("[ports\n", "known.toml is not TOML: *"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_message(project, run, text, message):
    (project.path / "known.toml").write_text(text, encoding="utf-8")
    result = run("right", known="known.toml")
    assert result.ret == 2
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR collecting test_mine.py*", message])
    assert "Traceback" not in result.stdout.str()
    assert ".py:" not in result.stdout.str()


# ---- a session that judged nothing


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--gc-ref-min-checks=19"], 0),
        (["--gc-ref-min-checks=20", "--collect-only"], 0),
        (["--gc-ref-min-checks=1", "-k", "step/adam"], 1),
        (["-k", "step/adam"], 0),
        (["test_mine.py::test_gc[right-step/adam]"], 1),
        (["test_mine.py::test_gc[right-step/adam]", "--gc-ref-min-checks=0"], 0),
    ],
)
def test_the_least_number_of_checks(run, words, status):
    result = run("right", *words)
    assert result.ret == status
    said = any(line.startswith("gc-ref: ") for line in result.outlines)
    assert said == (status == 1)


@pytest.mark.parametrize(
    ("words", "status"), [(["--gc-ref-min-checks=20"], 1), (["-k", "step/adam"], 0)]
)
def test_the_least_number_of_checks_under_xdist(run_wheel, words, status):
    pytest.importorskip("xdist")
    result = run_wheel("right", "-n", "2", *words)
    assert result.ret == status
    said = any(line.startswith("gc-ref: ") for line in result.outlines)
    assert said == (status == 1)


def test_sessions_without_such_tests_are_left_alone(project, plugin):
    project.makepyfile("def test_other(): pass")
    assert project.runpytest_inprocess(*plugin).ret == 0
    assert project.runpytest_inprocess(*plugin, "-k", "nothing").ret == 5
    result = project.runpytest_inprocess(*plugin, "--gc-ref-min-checks=1")
    assert result.ret == 1, "asked for, and not there"
    result.stdout.fnmatch_lines(["gc-ref: only 0 checks said something*asks for 1"])


def test_a_test_that_never_calls_its_check_fails(project, plugin):
    project.makepyfile(
        my_gc=MODULE, test_mine=TEST.format(names=["right"], known=None).replace("check(port)", "1")
    )
    result = project.runpytest_inprocess(*plugin)
    result.assert_outcomes(failed=ALL)
    result.stdout.fnmatch_lines(["the test judged nothing: it has to call check(port)"])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--gc-ref-suite=some", "*--gc-ref-suite: invalid choice: 'some'*"),
        ("--gc-ref-max-examples=-1", "*'-1' is not a whole number from 0 up*"),
        ("--gc-ref-min-checks=many", "*'many' is not a whole number from 0 up*"),
        ("--gc-ref-seed=1.5", "*'1.5' is not a whole number from 0 up*"),
        ("--gc-ref-json=no/such/file.json", "*--gc-ref-json no/such/file.json lies in a folder*"),
        ("--gc-ref-json=.", "*--gc-ref-json . is a folder*"),
    ],
)
def test_options_that_are_wrong(run, word, message):
    result = run("right", word)
    assert result.ret == 4
    result.stderr.fnmatch_lines([message])


# ---- the decorator's arguments


def plain(g):
    return g


def first_axis(g):
    return g if g.ndim < 2 else g - g.mean(axis=0, keepdims=True)


@pytest.mark.parametrize(
    ("ports", "known", "error", "message"),
    [
        ([], None, ValueError, "no port"),
        ([plain], None, TypeError, "is no port: make one of it with operator_port"),
        ([operator_port(plain), operator_port(plain)], None, ValueError, "two ports are called"),
        (operator_port(plain), {"value/exat": "r"}, ValueError, "did you mean 'value/exact'"),
        (operator_port(plain), {"value/exact": ""}, ValueError, "expected_failed_checks gives no"),
        (operator_port(plain), lambda port: ["value/exact"], ValueError, "not list"),
        (operator_port(plain), "no.toml", ValueError, "no.toml: No such file"),
    ],
)
def test_arguments_that_are_wrong(ports, known, error, message):
    with pytest.raises(error, match=message):
        parametrize_with_checks(ports, expected_failed_checks=known)


def test_a_function_says_what_is_known_of_a_port():
    asked = []
    mark = parametrize_with_checks(
        operator_port(plain), expected_failed_checks=lambda port: asked.append(port.name)
    )
    assert asked == ["plain"]
    assert [p.id for p in mark.args[1]] == [f"plain-{id}" for id in CHECKS]


def test_the_port_must_be_that_of_the_test():
    mark = parametrize_with_checks(operator_port(plain))
    with pytest.raises(TypeError, match="with the port of the same test"):
        mark.args[1][0].values[1](operator_port(plain))


# ---- ten lines for each framework

TEN_LINES = {
    "torch": """
        import torch
        from gc_ref.conformance import parametrize_with_checks, torch_port
        from my_gc import GCSGD

        port = torch_port(GCSGD, name="my-sgd", algorithm="sgdm")

        @parametrize_with_checks([port])
        def test_gc(port, check):
            check(port)
    """,
    "keras": """
        from gc_ref.conformance import keras_port, parametrize_with_checks
        from my_gc import GCSGD

        port = keras_port(GCSGD, name="my-sgd", algorithm="sgdm")

        @parametrize_with_checks([port])
        def test_gc(port, check):
            check(port)
    """,
    "optax": """
        from gc_ref.conformance import optax_port, parametrize_with_checks
        from my_gc import sgd

        port = optax_port(sgd, name="my-sgd", algorithm="sgdm")

        @parametrize_with_checks([port])
        def test_gc(port, check):
            check(port)
    """,
}
OPTIMIZERS = {
    "torch": """
        import torch

        class GCSGD(torch.optim.SGD):
            @torch.no_grad()
            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad.ndim > 1:
                            p.grad -= p.grad.mean(tuple(range(1, p.grad.ndim)), keepdim=True)
                return super().step(closure)
    """,
    "keras": """
        import keras

        def center(g):
            axes = tuple(range(len(g.shape) - 1))
            return g if len(g.shape) < 2 else g - keras.ops.mean(g, axis=axes, keepdims=True)

        class GCSGD(keras.optimizers.SGD):
            def apply(self, grads, trainable_variables=None):
                return super().apply([center(g) for g in grads], trainable_variables)
    """,
    "optax": """
        import jax
        import jax.numpy as jnp
        import optax

        def center(g):
            axes = tuple(range(g.ndim - 1))
            return g if g.ndim < 2 else g - jnp.mean(g, axis=axes, keepdims=True)

        def sgd(learning_rate, momentum=None):
            gc = optax.stateless(lambda updates, params: jax.tree.map(center, updates))
            return optax.chain(gc, optax.sgd(learning_rate, momentum))
    """,
}


@pytest.mark.parametrize("words", ["", "-n 2 --cov=my_gc --cov-report=term"], ids=["alone", "two"])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=getattr(pytest.mark, n)) for n in TEN_LINES]
)
def test_ten_lines_judge_an_optimizer(wheel, name, words):
    if words:
        pytest.importorskip("xdist")
        pytest.importorskip("pytest_cov")
    wheel.makepyfile(my_gc=OPTIMIZERS[name], test_mine=TEN_LINES[name])
    result = wheel.runpytest_subprocess("--junitxml=out.xml", *words.split())
    assert result.ret == 0
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["skipped"]) == (23, 3)
    assert len(_outcomes(wheel.path / "out.xml")) == ALL
    if words:
        result.stdout.fnmatch_lines(["my_gc.py * 100%"])
