"""The documents' code blocks: found, with what their comments say of them.

HTML comments on the lines before a block say what to do with it:

``file: NAME``      write the block to this file; later blocks of the page use it
``run: status=N``   a shell block: run it, and expect this exit status
``needs: NAMES``    frameworks that the block needs: markers of conftest.py
``ci: KIND``        a recipe for a CI system: tests/project/test_ci_recipes.py runs what it says
``not run: WHY``    leave it alone

Python blocks without ``file:`` are run as programs. A ``text`` block is the output of the
block before it; a line ``...`` in it stands for any number of lines. Each page stands alone: what
its blocks need is in files of that page.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Pages that a program writes, with blocks that it has run.
WRITTEN = ("docs/_build/", "docs/benchmarks/", "docs/deviations/")
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "conformance/README.md",
    *(p.relative_to(ROOT).as_posix() for p in sorted((ROOT / "conformance").glob("*/README.md"))),
    *(
        name
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if not (name := path.relative_to(ROOT).as_posix()).startswith(WRITTEN)
    ),
)
DIRECTIVE = re.compile(r"<!-- ([a-z -]+?)(?:: (.+))? -->")


@dataclass(frozen=True)
class Block:
    """A fenced code block, with the comments right before it."""

    document: str
    line: int
    language: str
    text: str
    directives: dict[str, str]

    @property
    def name(self):
        return f"{self.document}:{self.line}"

    @property
    def is_program(self):
        return "run" in self.directives or (
            self.language == "python" and not {"file", "not run", "ci"} & set(self.directives)
        )


def read_blocks(document, text):
    """Find the fenced blocks of a Markdown text."""
    blocks, directives, start, language = [], {}, None, ""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if start is None and line.startswith("```"):
            start, language = number, line.removeprefix("```")
        elif line == "```":
            body = "".join(f"{row}\n" for row in lines[start : number - 1])
            if not language.startswith("{"):  # a directive of Sphinx
                blocks.append(Block(document, start, language, body, directives))
            start, directives = None, {}
        elif start is None:
            found = DIRECTIVE.fullmatch(line)
            directives = {**directives, found[1]: found[2] or ""} if found else {}
    assert start is None, f"{document}:{start}: this block is not closed"
    return blocks


BLOCKS = {name: read_blocks(name, (ROOT / name).read_text("utf-8")) for name in DOCUMENTS}


def before(block):
    """Blocks of the same document before this one."""
    return [other for other in BLOCKS[block.document] if other.line < block.line]


def shown_output(block):
    """Return the text block right after this one, or None."""
    later = [other for other in BLOCKS[block.document] if other.line > block.line]
    return later[0].text if later and later[0].language == "text" else None


def matches(shown, real):
    """Whether a text is as shown, where ``...`` stands for any number of lines."""
    rows = (r"(?:.*\n)*?" if row == "..." else re.escape(row) + r"\n" for row in shown.splitlines())
    return re.fullmatch("".join(rows), real) is not None


def commands(folder):
    """Put ``gc-ref``, ``python`` and ``pytest`` of this very interpreter into a folder."""
    folder.mkdir()
    for name, module in {
        "gc-ref": "-m gc_ref._conformance.cli.guarded", "python": "", "pytest": "-m pytest"
    }.items():  # fmt: skip
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    return folder
