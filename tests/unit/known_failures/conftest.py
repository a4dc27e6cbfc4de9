"""A folder with ports for lists of known failures."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with ports.py, to run the command in."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(Path(__file__).with_name("_listed_ports.py"), tmp_path / "ports.py")
    return tmp_path
