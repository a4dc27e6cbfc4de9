"""The pages of the matrix are made of the records, and are as they are made."""

import re
import subprocess
from html.parser import HTMLParser

import pytest
from field.records import HERE, read_all
from make_matrix import made

HOW = "run `python conformance/make_matrix.py`"
README = (HERE / "README.md").read_text(encoding="utf-8")
PAGE = (HERE / "matrix.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "matrix.html"])
def test_nothing_is_stale(name):
    assert (HERE / name).read_text(encoding="utf-8") == made()[name], HOW


def test_each_link_leads_to_a_place():
    places = set(re.findall(r'<a id="([^"]+)">', README))
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    places |= {re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", README))
    assert links
    assert not links - places


class Loaded(HTMLParser):
    """Addresses that a page loads."""

    def __init__(self):
        super().__init__()
        self.found, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.found += [v for n, v in attrs.items() if n in ("src", "href", "srcset", "action")]
        if tag == "tr" and "id" in attrs:
            self.ids.append(attrs["id"])


def test_the_page_has_every_row_and_loads_nothing():
    parser = Loaded()
    parser.feed(PAGE)
    assert parser.found == []
    assert "url(" not in PAGE
    assert "import" not in PAGE.split("<script>")[1]
    rows = {row.name for records in read_all().values() for row in records.rows}
    assert rows <= set(parser.ids)
    assert len(set(parser.ids)) == len(parser.ids)


@pytest.mark.node
def test_the_page_sorts_and_filters(tmp_path):
    """Its script runs on a table of three rows that stands in for the page."""
    script = PAGE.split("<script>")[1].split("</script>")[0]
    program = tmp_path / "page.mjs"
    program.write_text(BROWSER.replace("// the script", script), encoding="utf-8")
    done = subprocess.run(
        ["node", str(program)], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "a", "1", "a,b,c", "c,b,a"]


#: As much of a browser as the script uses.
BROWSER = """
const make = (...texts) => ({
  cells: texts.map((t) => ({ textContent: t })), textContent: texts.join(" "), hidden: false,
});
const rows = [make("b", "bad"), make("a", "good"), make("c", "bad")];
const body = { rows, order: rows, append(...all) { this.order = all; } };
const heads = ["port", "verdict"].map((name, cellIndex) => ({
  cellIndex, childNodes: [name], attributes: {}, click: null,
  getAttribute(n) { return this.attributes[n]; },
  setAttribute(n, v) { this.attributes[n] = v; },
  removeAttribute(n) { delete this.attributes[n]; },
  append(button) { this.click = button.listener; },
}));
for (const head of heads) head.parentNode = { cells: heads };
const verdict = { value: "", dataset: { column: "1" } };
const form = {
  words: { value: "" }, count: {}, hidden: true, listeners: {},
  querySelectorAll: () => [verdict],
  addEventListener(name, f) { this.listeners[name] = f; },
};
globalThis.document = {
  querySelector: (what) => (what === "form" ? form : body),
  querySelectorAll: () => heads,
  createElement: () => ({ append() {}, addEventListener(_, f) { this.listener = f; } }),
};
{
// the script
}
const shown = () => body.order.filter((row) => !row.hidden).map((row) => row.cells[0].textContent);
console.log(shown().length);
verdict.value = "good"; form.listeners.input(); console.log(shown().join());
verdict.value = ""; form.words.value = "bad c"; form.listeners.input(); console.log(shown().length);
form.words.value = ""; form.listeners.input(); heads[0].click(); console.log(shown().join());
heads[0].click(); console.log(shown().join());
"""
