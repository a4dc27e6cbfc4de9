"""Known failures of a port are expected of its tests, by the strict rules of the list."""

import pytest

from ._plugin_files import ALL, FAILED, SKIPPED


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
            "*whole-tensor, but the port shows partial-axes*",
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
