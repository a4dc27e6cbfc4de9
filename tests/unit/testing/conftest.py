"""Pytest in a folder of its own, with the plugin of this repository or of the built wheel."""

import subprocess
import sys

import pytest

from ._built import PIP, ROOT, once
from ._plugin_files import MODULE, TEST


@pytest.fixture(scope="session")
def distributions(tmp_path_factory):
    """A folder with the sdist, and the wheel that is built from it; built once."""

    def build(folder):
        subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True)

    pytest.importorskip("build")
    return once(tmp_path_factory, "distributions", build)


@pytest.fixture(scope="session")
def installed(tmp_path_factory, distributions):
    """A folder that the wheel is installed into, without what it needs."""

    def install(folder):
        (wheel,) = distributions.glob("*.whl")
        command = [*PIP, "install", "--no-deps", "--no-index", "--target", folder, wheel]
        subprocess.run(command, check=True)

    return once(tmp_path_factory, "installed", install)


@pytest.fixture
def project(pytester, monkeypatch):
    """An empty folder in which pytest runs in this process, with the plugin of this repository."""
    for name in ("PYTEST_ADDOPTS", "GC_REF_REQUIRE_FRAMEWORKS", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    return pytester


@pytest.fixture
def plugin(pytestconfig):
    """Words that load the plugin, where this repository is not installed."""
    return [] if pytestconfig.pluginmanager.hasplugin("gc_ref") else ["-p", "_gc_ref_pytest"]


@pytest.fixture
def run(project, plugin):
    """Write a test file for some operators of MODULE, and run pytest on it."""

    def write_and_run(names, *words, known=None):
        project.makepyfile(my_gc=MODULE, test_mine=TEST.format(names=names.split(), known=known))
        return project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0", *words)

    return write_and_run
