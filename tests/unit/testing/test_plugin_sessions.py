"""Sessions that judged nothing or too little, and options of the plugin that are wrong."""

import pytest

from ._plugin_files import ALL, MODULE, TEST


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
