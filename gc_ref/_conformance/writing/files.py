"""Files: whether one can be written, and writing it whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path

#: Larger files are not read: reports of the full suite have some 100 kB.
LARGEST = 64 * 2**20


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Read a file that somebody names: no device, which may never end, no pipe, nothing huge.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, or is larger than 64 MiB.
    """
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # of a pipe, open waits
    try:
        mode = os.fstat(number).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "is no regular file, but a pipe or a device", str(path))
        with open(number, "rb", closefd=False) as file:
            data = file.read(LARGEST + 1)
    finally:
        os.close(number)
    if len(data) > LARGEST:
        raise OSError(errno.EFBIG, f"is larger than {LARGEST // 2**20} MiB", str(path))
    return data


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
