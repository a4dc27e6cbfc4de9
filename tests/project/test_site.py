"""What docs/pages.py makes of a page before Sphinx reads it, and the links of all documents."""

import json
import re
import sys
from pathlib import PurePosixPath

import pytest
from _documents import DOCUMENTS, ROOT

from gc_ref._conformance.cli.main import COMMANDS
from gc_ref._conformance.ports.conventions import CONVENTIONS
from gc_ref._conformance.reports.schema import schema_text
from gc_ref.conformance import CHECKS, DEVIATIONS

LINK = re.compile(r"\]\(([^)\s]+)\)")
#: Files that may be made later than the page that links to them.
MADE = ("docs/deviations/", "docs/benchmarks/", "conformance/study/")


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import pages

    yield pages
    del sys.modules["pages"]


def test_every_check_has_a_section(pages):
    sections = re.findall(r"^### (\S+)\n\n\*(.+?)\.\*", pages.checks(), re.MULTILINE)
    assert sorted(sections) == sorted((c.id, c.clause) for c in CHECKS.values())


def test_every_deviation_has_a_row(pages):
    rows = re.findall(r"^\| [\[`]+([\w-]+)[`\]].* \| (.+) \|$", pages.deviations(), re.MULTILINE)
    assert rows == [(d.id, d.sentence) for d in DEVIATIONS.values()]


def test_every_value_of_every_convention_is_explained(pages):
    text = pages.conventions()
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == list(CONVENTIONS)
    values = re.findall(r"^- `([\w-]+)`: (.+)$", text, re.MULTILINE)
    assert values == [pair for c in CONVENTIONS.values() for pair in c.values.items()]


def test_every_command_prints_its_help(pages):
    text = pages.command_line()
    shown = re.findall(
        r"^## gc-ref (.+)\n\n```text\nusage: gc-ref (.+?) \[-h\]", text, re.MULTILINE
    )
    assert {name for name, _ in shown} == {
        *COMMANDS,
        "vectors copy",
        "vectors verify",
        "vectors add",
    }
    assert all(name == usage for name, usage in shown)


def test_every_member_of_a_report_is_described(pages):
    rows = dict(re.findall(r"^\| `(\S+)` \| .+ \| (.*) \|$", pages.json_report(), re.MULTILINE))
    top = {name for name in rows if "." not in name}
    assert top == set(json.loads(schema_text())["properties"])
    assert {"port.name", "checks[].status", "checks[].counterexample.expected"} <= set(rows)
    assert all(rows.values()), [name for name, words in rows.items() if not words]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[a](../start/keras.md)", "[a](../start/keras.md)"),
        ("[a](../../conformance/PROTOCOL.md#numbers)", "[a](../reference/protocol.md#numbers)"),
        ("[a](../../conformance/action)", "a (`conformance/action`)"),
        ("[LICENSE](../../LICENSE)", "`LICENSE`"),
        ("[a](https://arxiv.org/abs/2004.01461)", "[a](https://arxiv.org/abs/2004.01461)"),
        ("[a](#here)", "[a](#here)"),
        ("![a](b/c.png)", "![a](b/c.png)"),
        ("[a](no-such-file)", "[a](no-such-file)"),
        ("```\n[a](../../LICENSE)\n```", "```\n[a](../../LICENSE)\n```"),
    ],
)
def test_links_lead_to_pages_of_the_site_or_name_a_file(pages, written, expected):
    assert pages.expand(PurePosixPath("docs/how-to/ci.md"), written) == expected


def test_an_included_file_brings_its_pictures_along(pages):
    there, here = PurePosixPath("conformance/study/README.md"), PurePosixPath("docs/evidence/x.md")
    shown = pages.with_links("![curves](results/curves.png)", there, here)
    assert shown == "![curves](../../conformance/study/results/curves.png)"


def test_an_included_file_brings_its_links_along(pages):
    text = pages.expand(
        PurePosixPath("docs/reference/protocol.md"), "<!-- include: conformance/PROTOCOL.md -->\n"
    )
    assert text.startswith("# The protocol")
    assert "[ports/c](ports/c)" not in text
    assert "`conformance/ports/c`" in text


def test_a_file_that_is_not_there_leaves_a_page_with_a_title(pages):
    text = pages.expand(PurePosixPath("docs/evidence/study.md"), "<!-- include: no/file.md -->\n")
    assert text.startswith("# ")
    assert "`no/file.md`" in text


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_to_files_lead_somewhere(name):
    text = re.sub(r"^```.*?^```$", "", (ROOT / name).read_text("utf-8"), flags=re.DOTALL | re.M)
    for target in LINK.findall(text):
        path = target.partition("#")[0]
        if "://" in target or not path:
            continue
        found = ((ROOT / name).parent / path).resolve()
        if not found.relative_to(ROOT).as_posix().startswith(MADE):
            assert found.exists(), f"{name}: {target}"


@pytest.fixture
def check_site(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import check_site

    yield check_site
    del sys.modules["check_site"]


HEAD = '<meta name="viewport" content="width=device-width">'


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (f'{HEAD}<p id="a"><a href="#a">a</a> <a href="b.html#b">b</a>', []),
        (f'{HEAD}<a href="https://arxiv.org/abs/2004.01461">the paper</a>', []),
        ("<p>", ["a.html: no viewport, so that a phone shows it small"]),
        (f'{HEAD}<a href="c.html">c</a>', ["a.html: c.html is not there"]),
        (f'{HEAD}<a href="b.html#c">c</a>', ["a.html: b.html#c has no such anchor"]),
        (f'{HEAD}<img src="//host/a.png">', ["a.html: loads //host/a.png"]),
        (f'{HEAD}<script src="https://host/a.js">', ["a.html: loads https://host/a.js"]),
        (f'{HEAD}<link rel="stylesheet" href="no.css">', ["a.html: no.css is not there"]),
    ],
)
def test_what_a_site_can_lack_is_found(check_site, tmp_path, body, wrong):
    (tmp_path / "a.html").write_text(body, "utf-8")
    (tmp_path / "b.html").write_text(f'{HEAD}<p id="b">', "utf-8")
    assert list(check_site.problems(tmp_path)) == wrong


def test_a_folder_without_pages_is_no_site(check_site, tmp_path):
    assert list(check_site.problems(tmp_path)) == [f"{tmp_path} has no pages"]


def test_the_table_of_seeds_says_what_is_not_in_it():
    page = (ROOT / "docs/evidence/seeds.md").read_text("utf-8")
    assert set(DEVIATIONS) <= set(re.findall(r"`([\w-]+)`", page))
