"""Every code block of the documents is run, and every output shown there is the real one.

HTML comments on the lines before a block say what to do with it:

``file: NAME``      write the block to this file; later blocks use it
``run: status=N``   a shell block: run it, and expect this exit status
``needs: NAMES``    frameworks that the block needs: markers of conftest.py
``ci: KIND``        a recipe for a CI system: tests/unit/test_ci_recipes.py runs what it says
``not run: WHY``    leave it alone

Python blocks without ``file:`` are run as programs. A ``text`` block is the output of the
block before it; a line ``...`` in it stands for any number of lines.
"""

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from gc_ref._conformance.ports.conventions import CONVENTIONS
from gc_ref.conformance import CHECKS

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "conformance/README.md",
    "conformance/study/README.md",
    "conformance/vectors/README.md",
    "CONTRIBUTING.md",
)
SETUP = ("main-command", "test-command")
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
            blocks.append(Block(document, start, language, body, directives))
            start, directives = None, {}
        elif start is None:
            found = DIRECTIVE.fullmatch(line)
            directives = {**directives, found[1]: found[2] or ""} if found else {}
    assert start is None, f"{document}:{start}: this block is not closed"
    return blocks


BLOCKS = {name: read_blocks(name, (ROOT / name).read_text("utf-8")) for name in DOCUMENTS}
EVERY = [block for blocks in BLOCKS.values() for block in blocks]


def programs():
    for block in EVERY:
        if block.is_program:
            needs = [n.strip() for n in block.directives.get("needs", "").split(",") if n.strip()]
            marks = [getattr(pytest.mark, name) for name in needs]
            yield pytest.param(block, marks=marks, id=block.name)


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


@pytest.mark.parametrize("block", list(programs()))
def test_block_does_what_the_document_says(block, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    for other in before(block):
        if "file" in other.directives:
            (work / other.directives["file"]).write_text(other.text, encoding="utf-8")
    if block.language == "python":
        (work / "_block.py").write_text(block.text, encoding="utf-8")
        command, status = [sys.executable, "_block.py"], 0
    else:
        command = ["bash", "-euc", block.text]
        status = int(block.directives["run"].removeprefix("status="))
    path = f"{commands(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=work,
        env={**os.environ, "PATH": path, "KERAS_BACKEND": "jax", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == status, done.stdout + done.stderr
    shown = shown_output(block)
    if shown is not None and not matches(shown, done.stdout):
        pytest.fail(f"{block.name} shows\n{shown}\nbut the output is\n{done.stdout}", pytrace=False)


@pytest.mark.parametrize("block", EVERY, ids=lambda block: block.name)
def test_no_block_is_forgotten(block):
    """Run, an output of what is run, a file that is used later, or marked with a reason."""
    if block.is_program or {*SETUP, "ci"} & set(block.directives):
        return
    if "not run" in block.directives:
        assert block.directives["not run"].strip()
    elif "file" in block.directives:
        stem = block.directives["file"].removesuffix(".py")
        users = [b for b in BLOCKS[block.document] if b.line > block.line and b.is_program]
        assert any(stem in user.text for user in users), f"{block.name}: nothing runs this file"
    else:
        previous = before(block)[-1:]
        assert block.language == "text", f"{block.name}: neither run nor marked `not run`"
        assert previous, block.name
        assert previous[0].is_program, block.name


@pytest.mark.parametrize("name", SETUP)
def test_ci_runs_the_setup_command_of_the_readme(name):
    """The script in .ci/run finds exactly the line that a reader sees."""
    (block,) = [b for b in BLOCKS["README.md"] if name in b.directives]
    assert block.text.count("\n") == 1, "one line each"
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    extract = re.search(r"^readme_command\(\).*$", script, re.MULTILINE)[0]
    found = subprocess.run(
        ["bash", "-euc", f"{extract}\nreadme_command {name}"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert found.stdout == block.text
    subprocess.run(["bash", "-n", "-c", block.text], check=True)


def test_the_demo_fails_on_an_unexpected_verdict(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "conformance")
    spec = importlib.util.spec_from_file_location("demo", ROOT / "conformance" / "demo.py")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    del sys.modules["ports"]  # its own import, which other tests must not find
    assert demo.main(demo.EXPECTED) == 0
    assert demo.main({"centralize": "deviates"}) == 1
    assert "UNEXPECTED: centralize" in capsys.readouterr().out


def test_readme_names_every_check_and_every_convention():
    words = set(re.findall(r"`([^`\n]+)`", (ROOT / "README.md").read_text("utf-8")))
    assert not set(CHECKS) - words
    assert not set(CONVENTIONS) - words


@pytest.mark.parametrize(
    ("shown", "real", "expected"),
    [
        ("a\n...\nc\n", "a\nb\nb\nc\n", True),
        ("a\n...\nc\n", "a\nc\n", True),
        ("...\nc\n", "c\n", True),
        ("a\n", "a\nb\n", False),
        ("a\nc\n", "a\nb\nc\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_shown_lines_are_compared_whole(shown, real, expected):
    assert matches(shown, real) is expected


def test_comments_belong_to_the_block_right_after_them():
    text = "<!-- file: a.py -->\n<!-- needs: torch -->\n```python\nx\n```\n\n```sh\ny\n```\n"
    first, second = read_blocks("t", text)
    assert first.directives == {"file": "a.py", "needs": "torch"}
    assert (first.text, second.text, second.directives) == ("x\n", "y\n", {})
