"""The virtual environments that the rows are judged in, and what else a row needs."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from field.records import HERE, ORDINARY

ROOT = HERE.parent
FOLDER = HERE / "environments"
C_PORT, TFJS_PORT = HERE / "ports" / "c", HERE / "ports" / "tfjs"


def requirements(name: str) -> tuple[Path, Path]:
    """The requirements of an environment, and those that are installed without dependencies."""
    if name == ORDINARY:
        return HERE / "requirements-torch.txt", HERE / "requirements-no-deps.txt"
    return FOLDER / f"{name}.txt", FOLDER / f"{name}-no-deps.txt"


def names() -> list[str]:
    """All environments that there are."""
    files = (path.stem for path in FOLDER.glob("*.txt"))
    return [ORDINARY, *sorted(name for name in files if not name.endswith("-no-deps"))]


def build(name: str, folder: Path) -> Path:
    """Make a virtual environment, unless it is there with the same requirements; its Python."""
    place = folder / name
    python, stamp = place / "bin" / "python", place / "requirements.sha256"
    files = [path for path in requirements(name) if path.is_file()]
    texts = b"".join(path.read_bytes() for path in (*files, HERE / "requirements.txt"))
    digest = hashlib.sha256(texts).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return python
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(files[0]), "-e", f"{ROOT}[check]"], check=True)
    for file in files[1:]:
        subprocess.run([*pip, "--no-deps", "-r", str(file)], check=True)
    stamp.write_text(digest, encoding="utf-8")
    return python


def prepare(needs: Collection[str]) -> None:
    """Compile the C port and fetch TensorFlow.js, if a row needs them."""
    if "cc" in needs:
        source = (C_PORT / "gc_port.c").read_text(encoding="utf-8")
        [line] = [words for words in source.splitlines() if words.startswith(" *   cc ")]
        subprocess.run(shlex.split(line.removeprefix(" * ")), cwd=C_PORT, check=True)
    if "tfjs" in needs and not (TFJS_PORT / "node_modules").is_dir():
        words = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(words, cwd=TFJS_PORT, check=True)
