"""The counterexample of a failed check, as Python users read it."""

import json

import _reports

from gc_ref.conformance import Counterexample, check, operator_port


def shown():
    report = check(operator_port(_reports.swapped, name="swapped"), max_examples=0)
    found = [c.counterexample for c in report.with_status("failed") if c.counterexample]
    assert found
    return found


def test_its_members_are_those_of_the_json_report():
    for counterexample in shown():
        members = counterexample.to_json()
        assert dict(counterexample) == members
        assert list(counterexample) == list(members)
        assert "expected" in counterexample
        assert "replay" not in counterexample
        assert counterexample["expected"] == counterexample.worst.expected


def test_it_is_read_again_from_json():
    for counterexample in shown():
        entry = json.loads(json.dumps(counterexample.to_json()))
        again = Counterexample.from_json(entry)
        assert again.to_json() == counterexample.to_json()
        assert again.worst == counterexample.worst
