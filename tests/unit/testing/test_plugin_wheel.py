"""The pytest plugin from a wheel that is installed elsewhere, in processes of its own.

The tests run pytest in a folder where nothing of this repository can be found.
"""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from ._plugin_files import ALL, MODULE, SKIPPED, TEST


@pytest.fixture
def wheel(project, monkeypatch, installed):
    """A project where another process finds the wheel, and its plugin by the entry point."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    return project


@pytest.fixture
def run_wheel(wheel):
    """Write a test file for some operators of MODULE, and run pytest on it with the wheel."""

    def write_and_run(names, *words):
        wheel.makepyfile(my_gc=MODULE, test_mine=TEST.format(names=names.split(), known=None))
        options = ["-p", "no:cacheprovider", "--gc-ref-max-examples=0", *words]
        return wheel.runpytest_subprocess(*options)

    return write_and_run


def test_the_wheel_holds_the_package_and_the_plugin_alone(installed):
    assert {p.name for p in installed.iterdir()} - {"bin", "__pycache__"} == {
        "gc_ref", "_gc_ref_pytest.py", next(p.name for p in installed.glob("gc_ref-*.dist-info"))
    }  # fmt: skip


def test_a_page_and_the_schema_are_made_from_the_files_in_the_wheel(wheel, installed):
    wheel.makepyfile(port="def idle(g):\n    return g\n")
    command = [sys.executable, "-m", "gc_ref.conformance"]
    judge = [*command, "check", "operator:port.py:idle", "--max-examples", "0"]
    done = subprocess.run([*judge, "--html", "r.html", "--json", "r.json"], check=False)
    assert done.returncode == 1
    again = [*command, "report", "r.json", "--html", "-"]
    page = subprocess.run(again, check=True, capture_output=True).stdout
    assert page == (wheel.path / "r.html").read_bytes()
    assert b".verdict {" in page
    found = "import gc_ref; print(gc_ref.__file__)"
    path = subprocess.run([sys.executable, "-c", found], check=True, capture_output=True).stdout
    assert path.decode().startswith(str(installed))


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
    result = run_wheel(
        "first_axis right nothing convolutions", "--cov=my_gc", "--cov-report=term-missing"
    )
    result.stdout.fnmatch_lines(["my_gc.py * 100%*"])
    assert "never imported" not in result.stdout.str() + result.stderr.str()


def test_a_right_port(run_wheel):
    result = run_wheel("right", "-rs")
    result.assert_outcomes(passed=ALL - SKIPPED, skipped=SKIPPED)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["SKIPPED * step/adam: the port is not held to Algorithm 2"])


def test_without_the_plugin(run_wheel):
    result = run_wheel("right", "-p", "no:gc_ref")
    assert result.ret == 4, "its options are unknown then"


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


@pytest.mark.parametrize(
    ("words", "status"), [(["--gc-ref-min-checks=20"], 1), (["-k", "step/adam"], 0)]
)
def test_the_least_number_of_checks_under_xdist(run_wheel, words, status):
    pytest.importorskip("xdist")
    result = run_wheel("right", "-n", "2", *words)
    assert result.ret == status
    said = any(line.startswith("gc-ref: ") for line in result.outlines)
    assert said == (status == 1)


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
