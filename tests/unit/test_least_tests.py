"""The option --least-tests of the root conftest: skips must not look like success."""

from pathlib import Path

import pytest

CONFTEST = (Path(__file__).parents[2] / "conftest.py").read_text(encoding="utf-8")
TWO_PASS = """
    import pytest

    def test_one(): pass

    def test_two(): pass

    @pytest.mark.skip(reason="not here")
    def test_skipped(): pass

    @pytest.mark.xfail(reason="known")
    def test_expected_to_fail(): assert False

    @pytest.mark.xfail(reason="fixed since", strict=False)
    def test_passes_unexpectedly(): pass
"""
MESSAGE = "*--least-tests asks for {} passed tests, but only {} passed*"


@pytest.fixture
def project(pytester, monkeypatch):
    """A project of its own that has the root conftest of this one."""
    monkeypatch.delenv("GC_REF_REQUIRE_FRAMEWORKS", raising=False)  # what our own CI asks for
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_two_pass=TWO_PASS)
    return pytester


@pytest.mark.parametrize("words", [(), ("--least-tests", "0"), ("--least-tests=2",)])
def test_enough_tests_passed(project, words):
    run = project.runpytest(*words)
    assert run.ret == pytest.ExitCode.OK
    run.stdout.no_fnmatch_line("*--least-tests*")


def test_skipped_and_xfailed_tests_do_not_count(project):
    run = project.runpytest("--least-tests", "3")
    assert run.ret == 5
    run.assert_outcomes(passed=2, skipped=1, xfailed=1, xpassed=1)
    run.stdout.fnmatch_lines([MESSAGE.format(3, 2)])


def test_a_failure_keeps_its_own_status(project):
    project.makepyfile(test_fails="def test_fails(): assert False")
    run = project.runpytest("--least-tests", "3")
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.stdout.fnmatch_lines([MESSAGE.format(3, 2)])


def test_a_failed_test_does_not_count(project):
    project.makepyfile(test_two_pass="def test_fails(): assert False\ndef test_passes(): pass")
    run = project.runpytest("--least-tests", "2")
    run.stdout.fnmatch_lines([MESSAGE.format(2, 1)])


def test_nothing_selected(project):
    run = project.runpytest("--least-tests", "1", "-k", "no_such_test")
    assert run.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    run.stdout.fnmatch_lines([MESSAGE.format(1, 0)])


def test_collecting_only_runs_nothing_and_is_no_failure(project):
    assert project.runpytest("--least-tests", "9", "--collect-only").ret == pytest.ExitCode.OK


def test_the_status_stands_where_no_summary_is_printed(project):
    assert project.runpytest("--least-tests", "3", "--no-summary").ret == 5


@pytest.mark.parametrize("text", ["-1", "many", "1.5"])
def test_not_a_number_of_tests(project, text):
    run = project.runpytest(f"--least-tests={text}")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines([f"*'{text}' is not a whole number from 0 up*"])


def test_without_xdist(project):
    assert project.runpytest("-p", "no:xdist", "--least-tests", "3").ret == 5


def test_under_xdist_the_workers_tests_are_counted_together(project):
    pytest.importorskip("xdist")
    project.makepyfile(test_more="def test_more(): pass\n")
    run = project.runpytest("-n", "2", "--least-tests", "4")
    assert run.ret == 5
    run.stdout.fnmatch_lines([MESSAGE.format(4, 3)])
