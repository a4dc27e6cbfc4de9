"""Every code block of the documents is run, and every output shown there is the real one.

What the comments before a block mean is told in _documents.py.
"""

import os
import subprocess
import sys

import pytest
from _documents import BLOCKS, before, commands, matches, read_blocks, shown_output

EVERY = [block for blocks in BLOCKS.values() for block in blocks]
#: Commands of the README that CI runs in fresh clones: see test_readme.py.
SETUP = ("main-command", "test-command")


def programs():
    for block in EVERY:
        if block.is_program:
            needs = [n.strip() for n in block.directives.get("needs", "").split(",") if n.strip()]
            marks = [getattr(pytest.mark, name) for name in needs]
            yield pytest.param(block, marks=marks, id=block.name)


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
        later = [b for b in BLOCKS[block.document] if b.line > block.line]
        users = [b for b in later if b.is_program or {"ci", "file"} & set(b.directives)]
        assert any(stem in user.text for user in users), f"{block.name}: nothing runs this file"
    else:
        previous = before(block)[-1:]
        assert block.language == "text", f"{block.name}: neither run nor marked `not run`"
        assert previous, block.name
        assert previous[0].is_program, block.name


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
