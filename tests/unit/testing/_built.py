"""What is built once for all workers of xdist."""

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
#: Seconds to wait for another worker.
LONGEST = 600


def once(tmp_path_factory, name, make):
    """Return the folder that ``make(folder)`` fills; the first worker makes it, others wait."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, being_made, failed = (Path(base, f"gc-ref-{name}{end}") for end in ("", "-new", "-no"))
    try:
        being_made.mkdir()
    except FileExistsError:
        end = time.monotonic() + LONGEST
        while not folder.exists():
            assert not failed.exists(), f"another worker could not make {name}"
            assert time.monotonic() < end, f"another worker did not make {name}"
            time.sleep(0.1)
        return folder
    try:
        make(being_made)
    except BaseException:
        failed.touch()
        raise
    folder.symlink_to(being_made)
    return folder
