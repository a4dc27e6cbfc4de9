"""The command gc-ref loads no more than its subcommand needs: to explain, nothing that judges."""

import json
import subprocess
import sys

import _reports
import pytest

JUDGING = {
    "adapters", "checks", "diagnosis", "evidence", "judging", "replays", "running", "wrong_ports"
}  # fmt: skip
PROGRAM = """\
import sys
from gc_ref._conformance.cli.main import main
status = main(sys.argv[1:])
print(*(name for name in sys.modules if name.startswith("gc_ref")), file=sys.stderr)
sys.exit(status)
"""


def loaded(*words):
    """Modules of this package that the command has loaded when it is done."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], check=True, capture_output=True, encoding="utf-8"
    )
    return ran.stderr.split()


@pytest.mark.parametrize(
    "words",
    [
        ["explain"],
        ["explain", "law/linear"],
        ["explain", "layout-swapped"],
        ["report", "--schema"],
        ["report", "one.json"],
        ["report", "one.json", "--html", "one.html"],
        ["report", "both.json", "--html", "both.html", "--markdown", "both.md"],
    ],
    ids=" ".join,
)
def test_explain_and_report_load_nothing_that_judges(words, here):
    reports = [_reports.report(name) for name in ("plain", "swapped")]
    (here / "one.json").write_text(json.dumps(reports[0]), "utf-8")
    (here / "both.json").write_text(json.dumps(reports), "utf-8")
    found = loaded(*words)
    rooms = {name.split(".")[2] for name in found if name.startswith("gc_ref._conformance.")}
    assert "catalogue" in rooms or "reports" in rooms
    assert not rooms & JUDGING
    assert not {"gc_ref.conformance", "gc_ref.strategies"} & set(found)
    if words[0] == "explain":
        assert rooms == {"catalogue", "cli", "ports", "writing"}


def test_check_loads_what_judges_and_not_the_public_face():
    found = loaded("check", "--max-examples", "0")
    rooms = {name.split(".")[2] for name in found if name.startswith("gc_ref._conformance.")}
    assert rooms >= JUDGING - {"wrong_ports"}  # those are for selftest alone
    assert "wrong_ports" not in rooms
    assert "gc_ref.conformance" not in found
