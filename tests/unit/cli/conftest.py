"""A folder of ports, and the command gc-ref run in it."""

import shutil
import sys
from pathlib import Path

import pytest

from gc_ref._conformance.cli.main import main

# pytest would import it to look for doctests: only the command is to load its copy.
collect_ignore = ["_strange_ports.py"]

FILES = {
    "syntax.py": "def f(:\n",
    "raising.py": "raise ValueError('at\\nimport')\n",
    "exiting.py": "import sys\nsys.exit(0)\n",
    "needing.py": "import gc_ref_no_such_module\n",
    "empty.py": "",
    "noisy.py": "print('noise')\nfrom ports import plain\n",
    "noisy_below.py": "import os\nos.write(1, b'noise')\nfrom ports import writes_below\n",
    "ports2.py": "from ports import *\n",
    "attributes_exit.py": "import sys\ndef __getattr__(name): sys.exit(0)\n",
    "attributes_need.py": "def __getattr__(name): import gc_ref_no_such_module\n",
    "flushes.py": "import torch\ntorch.set_flush_denormal(True)\nfrom ports import plain\n",
    "replaces_sum.py": "import numpy\nnumpy.sum = lambda *_, **__: 0.0\nfrom ports import half\n",
    "replaces_all.py": "import numpy\nnumpy.all = numpy.any\nfrom ports import half\n",
    "replaces_isfinite.py": "import numpy\ndel numpy.isfinite\nfrom ports import half\n",
    "replaces_max.py": "import builtins\nbuiltins.max = min\nfrom ports import half\n",
    "replaces_plus.py": "from fractions import Fraction\nFraction.__add__ = Fraction.__sub__\n"
    "from ports import half\n",
    "exits_at_once.py": "import os\nos._exit(0)\n",
    "talking.py": """
import atexit, os, threading, time
from ports import plain

def talk():
    while True:
        print("noise")
        os.write(1, b"noise")
        time.sleep(0.001)

threading.Thread(target=talk, daemon=True).start()
atexit.register(lambda: (print("bye", flush=True), os.write(1, b"bye"), time.sleep(600)))
""",
    "moving.py": "import os\nos.chdir('/')\nfrom ports import plain_sgdm\n",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A directory of ports, in which the command is run."""
    shutil.copy(Path(__file__).with_name("_strange_ports.py"), tmp_path / "ports.py")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:  # modules of the targets
        if name.startswith("_gc_ref_target_") or f"{name}.py" in ("ports.py", *FILES):
            del sys.modules[name]


@pytest.fixture
def run(capsys):
    """Run the command in this process: exit status, stdout, stderr."""

    def call(*words):
        try:
            status = main(list(words))
        except SystemExit:
            pytest.fail("main returns a status, whatever a port does")
        out, err = capsys.readouterr()
        return status, out, err

    return call
