"""A port that replays are made of, and how a replay is run."""

import os
import subprocess
import sys

OPERATOR = """
{imports}

def centralize(g):
    return g if g.ndim < 2 else g - g.mean({axes}, {keep}=True)
"""


def run(program, folder):
    """Run a program in a folder, where gc_ref cannot be imported."""
    (folder / "gc_ref.py").write_text("raise ImportError('not for replays')", encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-"], input=program, cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
