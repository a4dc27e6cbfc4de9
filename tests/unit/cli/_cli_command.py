"""Words for the command gc-ref, and the command as a process."""

import os
import subprocess
import sys


def quick(target, *words):
    """Words that judge a target without fuzzing."""
    return "check", target, "--max-examples", "0", *words


def command(*words, **environment):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gc_ref.conformance", *words],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
