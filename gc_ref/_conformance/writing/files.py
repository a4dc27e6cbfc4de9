"""Files: whether one can be written, and writing it whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def is_special(path: str) -> bool:
    """Whether a path is there and is no file: /dev/null, a pipe."""
    return os.path.exists(path) and not os.path.isfile(path)


def problem_of(path: str) -> str:
    """Say why a file cannot be written; nothing where it looks as if it can."""
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        return "is a directory"
    if is_special(path):
        return "" if os.access(path, os.W_OK) else "may not be written to"
    if not os.path.isdir(folder):
        return f"there is no directory {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"directory {folder} may not be written to"
    if os.path.exists(path) and not os.access(path, os.W_OK):
        return "may not be written to"
    return ""


def write_whole(path: str, data: bytes) -> None:
    """Write a file whole or not at all, with the permissions that it has or would get.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if is_special(path):
        Path(path).write_bytes(data)
        return
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o666 & ~_umask()
    number, name = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".gc-ref-")
    try:
        with open(number, "wb") as file:
            file.write(data)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
