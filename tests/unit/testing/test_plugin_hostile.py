"""No session succeeds without the judgment that it was started for."""

import pytest

from gc_ref.conformance import CHECKS

from ._plugin_files import ALL, FAILED, MODULE, TEST

HOSTILE = """
import os
import pytest
from gc_ref.conformance import operator_port, parametrize_with_checks

{head}

def port(g):
    {body}

@parametrize_with_checks(operator_port(port))
def test_gc(port, check):
    check(port)
"""


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("", "os._exit(0)"),
        ("os._exit(0)", "return g"),
        ("from os import _exit", "_exit(0)"),
        ("", "pid = os.fork() or os._exit(0); os.waitpid(pid, 0); os._exit(0)"),
    ],
    ids=["in a step", "at import", "by another name", "after a child that may"],
)
def test_a_port_that_ends_the_session_with_status_0(project, plugin, head, body):
    project.makepyfile(HOSTILE.format(head=head, body=body))
    result = project.runpytest_subprocess(*plugin, "-p", "no:cacheprovider")
    assert result.ret == 3
    assert "gc-ref: os._exit(0) before the session had finished" in result.stderr.str()


def test_a_session_that_is_ended_early(project, plugin):
    test = TEST.format(names=["right"], known=None)
    ending = f"import pytest\n{test}    pytest.exit('enough', returncode=0)\n"
    project.makepyfile(my_gc=MODULE, test_mine=ending)
    result = project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [f"gc-ref: the session was ended before {len(CHECKS)} of its checks had run"]
    )


def test_the_exit_is_given_back(project, plugin):
    import os

    before = os._exit
    project.makepyfile("def test_other(): pass")
    assert project.runpytest_inprocess(*plugin).ret == 0
    assert os._exit is before


@pytest.mark.parametrize(
    "call",
    [
        "try:\n        check(port)\n    except BaseException:\n        pass",
        "try:\n        check(port)\n    except BaseException:\n        pytest.skip('later')",
    ],
    ids=["passes", "skips"],
)
def test_a_test_that_hides_a_failure_fails(project, plugin, call):
    test = TEST.format(names=["first_axis"], known=None).replace("check(port)", call)
    project.makepyfile(my_gc=MODULE, test_mine=f"import pytest\n{test}")
    result = project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0")
    assert result.ret == 1
    assert result.parseoutcomes()["failed"] == len(FAILED)
    result.stdout.fnmatch_lines(
        [
            "value/exact: *",
            "the check failed, and the test hid it: let what check(port) raises go on",
        ]
    )


def test_a_failure_that_is_xfailed_by_its_user_stays_so(project, plugin):
    test = TEST.format(names=["first_axis"], known=None)
    marked = test.replace("def test_gc", "@pytest.mark.xfail(reason='later')\ndef test_gc")
    project.makepyfile(my_gc=MODULE, test_mine=f"import pytest\n{marked}")
    result = project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0")
    assert result.ret == 0
    assert result.parseoutcomes()["xfailed"] == len(FAILED)


def test_reports_that_cannot_be_written_fail_the_session(run):
    result = run("right", "-k", "value/exact", "--gc-ref-json=/dev/full")
    assert result.ret == 1
    result.assert_outcomes(passed=1, deselected=ALL - 1)
    result.stdout.fnmatch_lines(["gc-ref: --gc-ref-json /dev/full: No space left on device"])


def test_control_characters_are_shown(project, plugin):
    project.makepyfile(HOSTILE.format(head="", body="raise RuntimeError('\\x1b[31m \\x9b')"))
    result = project.runpytest_inprocess(*plugin, "-k", "value/exact")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*\\u001b[[]31m*"])
    assert "\x1b[31m \x9b" not in result.stdout.str()
