"""A folder of its own in which pytest runs in this process, with the plugin of this repository."""

import pytest

from ._plugin_files import MODULE, TEST


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
