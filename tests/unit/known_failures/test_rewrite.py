"""The file that --accept writes: its comments, its layout and other ports' sections stay."""

import itertools
import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gc_ref._conformance.findings.check_report import Expectation
from gc_ref._conformance.known_failures import rewrite as _rewrite
from gc_ref._conformance.known_failures.expectations import ExpectationError
from gc_ref._conformance.known_failures.rewrite import rewritten

from ._known_failures import FAILED, gc_ref

KEPT, NEW, GONE = "value/exact", "scope/every-weight", "law/linear"
ENTRIES = {KEPT: Expectation("mine", "#2", "partial-axes"), NEW: Expectation("")}
TABLES = """\
# Known failures of all our ports.

# about other
[ports."other"."law/linear"]  # theirs
reason = 'theirs'   # literal
issue = "https://example.org/1"

# about mine
[ports."mine"."value/exact"]
# since release 1
reason = "mine"  # ours
issue = "#2"

[ports.mine."law/linear"]
reason = "mended since"

# about last
[ports.last."value/exact"]
reason = "theirs too"
# the end
"""


def entries_of(text, port):
    found = tomllib.loads(text)["ports"].get(port, {})
    return {c: {"reason": e} if isinstance(e, str) else e for c, e in found.items()}


def wanted():
    return {check: entry.to_json() for check, entry in ENTRIES.items()}


def test_comments_and_other_sections_stay_byte_for_byte():
    text = rewritten(TABLES, "mine", ENTRIES)
    before, _, rest = TABLES.partition("\n[ports.mine.")
    after = rest[rest.index("\n# about last") :]
    assert text.startswith(before)
    assert text.endswith(after)
    assert text[len(before) : -len(after)] == (
        'deviation = "partial-axes"\n\n[ports."mine"."scope/every-weight"]\nreason = ""\n'
    )
    assert entries_of(text, "mine") == wanted()


def test_a_port_that_is_new_comes_last():
    text = rewritten(TABLES, "new", {NEW: Expectation("")})
    assert text == TABLES + '\n[ports."new"."scope/every-weight"]\nreason = ""\n'


def test_what_says_it_all_already_stays_as_it_is():
    known = {KEPT: Expectation("mine", "#2"), GONE: Expectation("mended since")}
    assert rewritten(TABLES, "mine", known) == TABLES


def test_a_comment_after_an_entry_that_goes_is_on_what_follows():
    only = {NEW: Expectation("")}
    assert '\n\n# about mine\n[ports."mine"."value/exact"]' in rewritten(TABLES, "other", only)
    text = rewritten(TABLES, "last", only)
    assert text.endswith('# about last\n[ports.last."scope/every-weight"]\nreason = ""\n')


def test_of_a_port_of_which_nothing_is_left_the_heading_stays():
    text = rewritten(TABLES, "mine", {})
    left = TABLES[: TABLES.index('[ports."mine')] + TABLES[TABLES.index("# about last") :]
    assert text == left + '\n[ports."mine"]\n'
    assert rewritten(text, "mine", {}) == text
    assert rewritten('[ports.mine]  # ours\n"law/linear" = "r"\n', "mine", {}) == (
        "[ports.mine]  # ours\n"
    )


LAYOUTS = {
    "strings": '[ports.mine]\n"value/exact" = "mine"  # soon\n# and\n"law/linear" = "gone"\n',
    "strings first": '[ports.mine]\n"law/linear" = "gone"  # now\n"value/exact" = "mine"  # soon\n',
    "one table": '[ports]\nmine = {"value/exact" = "mine", "law/linear" = "gone"}  # soon\n',
    "all inline": 'ports = {mine = {"value/exact" = {reason = "mine"}}, b = {}}  # soon\n',
    "dotted keys": 'ports.mine."value/exact".reason = "mine" # soon\nports.b."x" = "y"\n',
    "dotted in parts": 'ports.mine."value/exact".reason = "mine" # soon\nports.b.x = "y"\n'
    'ports.mine."value/exact".issue = "i"\n',
    "dotted in a table": '[ports]\nmine."value/exact".reason = "mine" # soon\nb."x" = "y"\n',
    "out of order": '[ports.mine."value/exact"]\nreason = "mine" # soon\n\n[ports.b.x]\n'
    'reason = "y"\n\n# and\n[ports.mine."law/linear"]\nreason = "gone"\n',
    "no end of line": '# soon\n[ports.mine."value/exact"]\nreason = "mine"',
    "tight": '[ports.mine."value/exact"]\nreason = "mine"\n[ports.b.x]\nreason = "y"\n# soon\n',
    "other": 'ports = {b = {x = "y"}}  # soon\n',
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_kept(layout):
    before = LAYOUTS[layout]
    new = ENTRIES | {KEPT: Expectation("mine", None, "partial-axes")}
    text = rewritten(before, "mine", new)
    assert entries_of(text, "mine") == {check: entry.to_json() for check, entry in new.items()}
    gone = "# now" if layout == "strings first" else None  # on the line of an entry that goes
    assert re.findall("# [a-z]+", text) == [c for c in re.findall("# [a-z]+", before) if c != gone]
    others = tomllib.loads(before)["ports"].keys() - {"mine"}
    assert all(tomllib.loads(text)["ports"][b] == tomllib.loads(before)["ports"][b] for b in others)
    assert "\n\n\n" not in text
    assert rewritten(text, "mine", new) == text


def test_ends_of_lines_stay():
    text = rewritten(TABLES.replace("\n", "\r\n"), "mine", ENTRIES)
    assert text.replace("\r\n", "\n") == rewritten(TABLES, "mine", ENTRIES)
    assert text.count("\r\n") == text.count("\n")


def test_a_list_that_would_say_something_else_is_not_written(monkeypatch):
    monkeypatch.setattr(_rewrite, "_update", lambda *_: None)
    with pytest.raises(ExpectationError, match="write its entries as tables"):
        rewritten(TABLES, "mine", ENTRIES)


WORDS = st.text(st.sampled_from("a#\"'\\[]=.\n é"), max_size=6)
ENTRY = st.builds(Expectation, WORDS, st.none() | WORDS.filter(str.strip))
PORTS = st.dictionaries(
    WORDS, st.dictionaries(st.sampled_from(FAILED), ENTRY, min_size=1), min_size=2, max_size=4
)


@given(PORTS, st.dictionaries(st.sampled_from(FAILED), ENTRY), st.data())
def test_any_section_is_changed_alone(ports, new, data):
    """Each section stands between two comments; those of the others stay, with what they hold."""
    text, sections = "# 0\n", {}
    for number, (port, entries) in enumerate(ports.items(), 1):
        body = rewritten("", port, entries).partition("\n\n")[2]
        sections[port] = f"# before {number}\n{body}"
        text += f"\n{sections[port]}"
    port = data.draw(st.sampled_from(list(ports)))
    after = rewritten(text, port, new)
    assert entries_of(after, port) == {check: entry.to_json() for check, entry in new.items()}
    where = [after.index(s) for name, s in sections.items() if name != port]
    assert all(one < other for one, other in itertools.pairwise(where))
    before = [f"# before {number}" for number in range(1, len(ports) + 1)]
    assert re.findall("^# before [0-9]$", after, re.M) == before


def test_the_command_keeps_them(work, capsys):
    (work / "known.toml").write_text(TABLES, "utf-8")
    _, _, err = gc_ref(capsys, "first_axis", "--accept", "known.toml")
    text = (work / "known.toml").read_text("utf-8")
    assert text.startswith(TABLES)
    assert list(entries_of(text, "first_axis")) == FAILED
    assert "known.toml: 4 known failures of first_axis; fill in the reason of" in err


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_section_is_emptied_in_every_layout_and_no_other_is(layout):
    before = tomllib.loads(LAYOUTS[layout]).get("ports", {})
    for port in before:
        after = tomllib.loads(rewritten(LAYOUTS[layout], port, {})).get("ports", {})
        assert after == before | {port: {}}
