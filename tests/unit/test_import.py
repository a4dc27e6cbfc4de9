"""What `import gc_ref` brings with it, and how long it takes."""

import subprocess
import sys


def python(code):
    """Run code in a fresh interpreter and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


def test_import_brings_no_framework():
    third_party = python(
        "import sys, gc_ref\n"
        "names = {m.partition('.')[0] for m in sys.modules} - sys.stdlib_module_names\n"
        "print(*sorted(n for n in names if not n.startswith('_')))"
    ).split()
    assert set(third_party) - {"sitecustomize", "usercustomize"} <= {
        "array_api_compat",
        "gc_ref",
        "numpy",
    }


def test_import_is_quick():
    def seconds(statement):
        code = f"from time import perf_counter as t; s = t(); {statement}; print(t() - s)"
        return min(float(python(code)) for _ in range(5))

    assert seconds("import gc_ref") <= 1.3 * seconds("import numpy, array_api_compat")
