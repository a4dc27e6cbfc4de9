"""Markers of programs in the root conftest: skipped with a reason, unless they are required."""

from pathlib import Path

import pytest

CONFTEST = (Path(__file__).parents[2] / "conftest.py").read_text(encoding="utf-8")
INI = "[pytest]\nmarkers =\n  cc\n  node\n  tfjs\n"
TESTS = """
    import pytest

    @pytest.mark.cc
    def test_cc(): pass

    @pytest.mark.node
    def test_node(): pass

    @pytest.mark.tfjs
    def test_tfjs(): pass
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A project of its own, on a machine that has no programs."""
    pytester.makeconftest(CONFTEST)
    pytester.makeini(INI)
    pytester.makepyfile(test_three=TESTS)
    monkeypatch.setenv("PATH", str(pytester.path))
    monkeypatch.delenv("GC_REF_REQUIRE_FRAMEWORKS", raising=False)
    return pytester


def test_what_is_missing_is_skipped_with_a_reason(project):
    run = project.runpytest("-rs")
    run.assert_outcomes(skipped=3)
    run.stdout.fnmatch_lines(["*needs cc: put it on the path", "*needs tfjs: npm ci in *"])


def test_what_is_there_is_run(project):
    for name in ("cc", "node"):
        program = project.path / name
        program.write_text("#!/bin/sh\n", encoding="ascii")
        program.chmod(0o755)
    project.mkpydir("conformance")
    modules = project.path / "conformance/ports/tfjs/node_modules/@tensorflow/tfjs"
    modules.mkdir(parents=True)
    project.runpytest().assert_outcomes(passed=3)


@pytest.mark.parametrize("name", ["cc", "node", "tfjs"])
def test_what_is_required_must_be_there(project, monkeypatch, name):
    monkeypatch.setenv("GC_REF_REQUIRE_FRAMEWORKS", name)
    run = project.runpytest()
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines([f"*not installed: {name}*"])
