"""What is done to a page before Sphinx parses it: text in, text out.

``<!-- generate: NAME -->`` on a line of its own is replaced by what `GENERATED` makes of the
package, ``<!-- include: PATH -->`` by a file of the repository, whose first heading becomes the
page's own. A link to a file that is no page here becomes the path of that file, as the site stands
alone.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from unittest import mock

from gc_ref._conformance.catalogue.checks import CHECKS, Check
from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.cli.main import COMMANDS, main
from gc_ref._conformance.ports.conventions import CONVENTIONS
from gc_ref._conformance.reports.schema import schema_text

DOCS = Path(__file__).parent
ROOT = DOCS.parent
MARK = re.compile(r"<!-- (generate|include): (\S+) -->")
LINK = re.compile(r"(!?)\[([^\]\n]*)\]\(([^)\s]+)\)")
#: Files of the repository that a page here includes.
INCLUDED_BY = {
    "conformance/README.md": "evidence/field.md",
    "conformance/study/README.md": "evidence/study.md",
    "conformance/PROTOCOL.md": "reference/protocol.md",
    "docs/deviations/index.md": "deviations.md",
    "README.md": "index.md",
}
#: Pages of HTML that a program wrote: they are copied to the root of the site.
COPIED = ("conformance/matrix.html",)
ACTIONS = ("copy", "verify", "add")  # of gc-ref vectors


def checks() -> str:
    """Return a section for each check of the catalogue, in groups."""
    parts: list[str] = []
    group = ""
    for check in sorted(CHECKS.values(), key=lambda c: _GROUPS.index(c.id.partition("/")[0])):
        name = check.id.partition("/")[0]
        if name != group:
            group = name
            parts.append(f"## {name}/\n")
        parts.append(_check(check))
    return "\n".join(parts)


_GROUPS = ["value", "law", "scope", "effect", "step", "hygiene"]


def _check(check: Check) -> str:
    found = [d.id for d in DEVIATIONS.values() if check.id in d.checks]
    lines = [f"### {check.id}\n", f"*{check.clause}.* {_sentence(check.sentence)}\n"]
    if found:
        lines.append(f"Is there to find {', '.join(_deviation(id) for id in found)}.\n")
    return "\n".join(lines)


def _deviation(id: str) -> str:
    """Return the id, as a link from the reference if the deviation has a page."""
    page = f"deviations/{id}.md"
    return f"[`{id}`](../{page})" if (DOCS / page).is_file() else f"`{id}`"


def _sentence(words: str) -> str:
    """Return words as a sentence; a formula begins as it is written."""
    first = words[0].upper() if re.match(r"[a-z]{2}|a ", words) else words[0]
    return f"{first}{words[1:]}."


def deviations() -> str:
    """Return the page that lists the deviations: that of their folder, or a table without pages."""
    index = DOCS / "deviations" / "index.md"
    if index.is_file():
        page = PurePosixPath("docs/deviations.md")
        text = with_links(index.read_text("utf-8"), PurePosixPath("docs/deviations/index.md"), page)
        return f"{text}\n```{{toctree}}\n:glob:\n:hidden:\n\ndeviations/*\n```\n"
    rows = "".join(f"| `{d.id}` | {d.sentence} |\n" for d in DEVIATIONS.values())
    return f"# Deviations\n\n| deviation | what such a port does |\n|---|---|\n{rows}"


def benchmark_pages() -> str:
    """Return a table of contents of the benchmarks, if there is one."""
    if not any((DOCS / "benchmarks").glob("*.md")):
        return ""
    return "```{toctree}\n:glob:\n:maxdepth: 1\n\n../benchmarks/*\n```\n"


def conventions() -> str:
    """Return a section for each convention, with the meaning of each value."""
    return "\n".join(
        f"## {convention.field}\n\n"
        + "".join(f"- `{value}`: {words}\n" for value, words in convention.values.items())
        for convention in CONVENTIONS.values()
    )


def command_line() -> str:
    """Return what each command says of itself."""
    words = [[name] for name in COMMANDS]
    words += [["vectors", action] for action in ACTIONS]
    return "\n".join(
        f"## gc-ref {' '.join(command)}\n\n```text\n{_help(command)}```\n"
        for command in sorted(words, key=lambda w: list(COMMANDS).index(w[0]))
    )


def _help(words: list[str]) -> str:
    text = io.StringIO()
    with mock.patch.dict(os.environ, COLUMNS="78"), contextlib.redirect_stdout(text):
        main([*words, "--help"])
    return text.getvalue()


def json_report() -> str:
    """Return a table of the members of a JSON report, from its schema."""
    document = json.loads(schema_text())
    rows = "".join(
        f"| `{path}` | {kind} | {words} |\n" for path, kind, words in _members(document, document)
    )
    return f"| member | type | what it says |\n|---|---|---|\n{rows}"


def _members(
    node: Mapping[str, Any], document: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Walk through the members of an object: path, type, description."""
    for name, member in node.get("properties", {}).items():
        inner = _resolved(member, document)
        here = f"{path}.{name}".removeprefix(".")
        words = member.get("description") or inner.get("description", "")
        yield here, _type(inner, document), words.replace("|", "\\|")
        for one in _alternatives(inner, document):
            yield from _members(one, document, here)
            items = one.get("items", one.get("additionalProperties"))
            if isinstance(items, Mapping):
                yield from _members(_resolved(items, document), document, f"{here}[]")


def _alternatives(node: Mapping[str, Any], document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the types that a member can have; most have one."""
    either = node.get("anyOf") or node.get("oneOf")
    return [_resolved(one, document) for one in either] if either else [node]


def _resolved(node: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference to a definition of the same schema."""
    if "$ref" not in node:
        return node
    target: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{k: v for k, v in node.items() if k != "$ref"}}


def _type(node: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    either = _alternatives(node, document)
    if len(either) > 1:
        return " or ".join(_type(one, document) for one in either)
    kind = node.get("type", "any")
    return kind if isinstance(kind, str) else " or ".join(kind)


#: What a ``generate`` comment can name.
GENERATED: Mapping[str, Callable[[], str]] = {
    "checks": checks,
    "deviations": deviations,
    "benchmark-pages": benchmark_pages,
    "conventions": conventions,
    "command-line": command_line,
    "json-report": json_report,
}


def expand(page: PurePosixPath, text: str) -> str:
    """Fill in what a page generates and includes, and mend its links.

    ``page`` is its path from the root of the repository.
    """
    parts = []
    for line in text.splitlines(keepends=True):
        mark = MARK.fullmatch(line.strip())
        if mark is None:
            parts.append(line)
        elif mark[1] == "generate":
            parts.append(GENERATED[mark[2]]())
        else:
            parts.append(_included(mark[2], page))
    return with_links("".join(parts), page, page)


def _included(path: str, page: PurePosixPath) -> str:
    file = ROOT / path
    if not file.is_file():
        return f"# Not in this checkout\n\nThis page shows `{path}`, which is not there.\n"
    return with_links(file.read_text("utf-8"), PurePosixPath(path), page)


def with_links(text: str, source: PurePosixPath, page: PurePosixPath) -> str:
    """Turn the links of a text that stands in ``source`` into those of ``page``."""
    lines, fenced = [], False
    marked = set(re.findall(r'<a id="([^"]+)"', text))  # MyST knows the anchors of headings only
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        lines.append(line if fenced else LINK.sub(lambda m: _link(m, source, page, marked), line))
    return "".join(lines)


def _link(
    found: re.Match[str], source: PurePosixPath, page: PurePosixPath, marked: Collection[str]
) -> str:
    image, words, target = found.groups()
    path, _, anchor = target.partition("#")
    if not path and anchor in marked:
        return f'<a href="#{anchor}">{words}</a>'
    if "://" in target or target.startswith("mailto:") or not path:
        return found[0]
    wanted = os.path.normpath(source.parent / path)
    if image:
        return f"![{words}]({os.path.relpath(wanted, page.parent)})"
    wanted = f"docs/{INCLUDED_BY[wanted]}" if wanted in INCLUDED_BY else wanted
    if wanted.startswith("docs/") and wanted.endswith(".md"):
        relative = os.path.relpath(wanted, page.parent)
        return f"[{words}]({relative}{'#' + anchor if anchor else ''})"
    if not (ROOT / wanted).exists():
        return found[0]  # Sphinx complains
    if wanted in COPIED:
        copy = os.path.relpath(f"docs/{PurePosixPath(wanted).name}", page.parent)
        return f'<a href="{copy}">{words}</a>'
    same = words.strip("`") in (path, wanted)
    return f"`{wanted}`" if same else f"{words} (`{wanted}`)"


def setup(app: Any) -> dict[str, bool]:
    """Let Sphinx read every page through `expand`, and docstrings without substitutions."""
    app.connect("source-read", _read)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _docstring, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read(app: Any, name: str, source: list[str]) -> None:
    if MARK.search(source[0]):
        app.env.note_reread()  # what it shows may change while the page does not
    source[0] = expand(PurePosixPath("docs") / f"{name}.md", source[0])


def _skip(app: Any, what: str, name: str, obj: object, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples that only their class describes."""
    return True if str(obj.__doc__).startswith("Alias for field number") else None


def _docstring(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Escape |x|, which stands for an absolute value in our docstrings, never a substitution."""
    for number, line in enumerate(lines):
        if "|" in line and not line.lstrip().startswith((">>>", "...")):
            pieces = re.split(r"(``.*?``|`[^`]*`)", line)
            lines[number] = "".join(
                piece if piece.startswith("`") else piece.replace("|", r"\|") for piece in pieces
            )
