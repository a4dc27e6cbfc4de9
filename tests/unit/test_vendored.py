"""Four files copied into another project work with array-api-compat alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import gc_ref

CODE = """
import array_api_compat, sys
before = set(sys.modules)
from their_project.vendored._adam import adam_init, adam_step
from their_project.vendored._centralize import centralize
from their_project.vendored._sgdm import sgdm_init, sgdm_step
new = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names
assert new == {"their_project"}, new

import numpy as np
w, g = np.zeros((2, 1)), np.asarray([[1.0], [3.0]])
assert centralize(g, output_axis=1).tolist() == [[-1.0], [1.0]]
w, _ = sgdm_step(w, g, sgdm_init(w), lr=1.0, momentum=0.5, output_axis=1)
assert w.tolist() == [[0.5], [-0.5]]
assert adam_step(w, g, adam_init(w), lr=1.0, eps=1.0, output_axis=1)[1].step == 1
assert "gc_ref" not in sys.modules
print("vendored")
"""


def test_vendored(tmp_path):
    package = tmp_path / "their_project" / "vendored"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    for name in ("_arrays.py", "_centralize.py", "_sgdm.py", "_adam.py"):
        shutil.copy(Path(gc_ref.__file__).parent / name, package)
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "vendored\n", done.stderr
