"""Hypothesis profiles, missing frameworks, and the least number of tests."""

import argparse
import importlib
import importlib.util
import os
import shutil
import warnings
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from gc_ref._conformance.adapters.keras.port import select_backend
from gc_ref._conformance.judging import trial
from gc_ref._conformance.judging.shared_results import Known

settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, database=None, print_blob=True)
# A mutant is killed by its first counterexample: there is no smaller one to look for.
settings.register_profile(
    "mutation",
    settings.get_profile("ci"),
    phases=[Phase.explicit, Phase.generate],
    max_examples=25,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
# Hypothesis reads this package's sources for constants: once for all processes that tests start.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parent / ".hypothesis"))

pytest_plugins = ["pytester"]

# Ports import their frameworks at once: they are loaded by the tests that judge them.
# The study imports Keras, and its command chooses the backend.
collect_ignore_glob = [
    "conformance/ports/*",
    "conformance/recreated/*",
    "conformance/study/gc_study/*",
]
# Programs: importing the first would leave a module called `ports` for other tests to find; the
# last two import their frameworks.
collect_ignore = [
    "conformance/demo.py",
    "conformance/study/run.py",
    "tests/mutation/run.py",
    "tests/unit/_sharded_jax.py",
    "tests/unit/_sharded_torch.py",
]

# Each is a marker: a test that carries it needs the module of that name.
FRAMEWORKS = (
    "array_api_strict",
    "dask",
    "flax",
    "gctf",
    "jax",
    "keras",
    "optax",
    "pytorch_optimizer",
    "sklearn",
    "tensorflow",
    "tensorflow_datasets",
    "tf_keras",
    "torch",
)
# Markers too: programs on the path, and what `npm ci` puts into conformance/ports/tfjs.
PROGRAMS = ("cc", "node")
TFJS = Path(__file__).parent / "conformance/ports/tfjs/node_modules/@tensorflow/tfjs"
NEEDS = (*FRAMEWORKS, *PROGRAMS, "tfjs")


def required_frameworks():
    """Frameworks that must be there: a typing error here must not skip a test."""
    names = {n.strip() for n in os.environ.get("GC_REF_REQUIRE_FRAMEWORKS", "").split(",")} - {""}
    if unknown := names - set(NEEDS):
        raise pytest.UsageError(
            f"GC_REF_REQUIRE_FRAMEWORKS names {', '.join(sorted(unknown))}; "
            f"known: {', '.join(NEEDS)}"
        )
    return names


def is_there(name):
    """Whether a framework, a program or tfjs can be found."""
    if name in PROGRAMS:
        return shutil.which(name) is not None
    if name == "tfjs":
        return is_there("node") and TFJS.is_dir()
    return importlib.util.find_spec(name) is not None


def whole_number(text):
    """A number of tests: anything else is one line of usage, not a traceback."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return int(text)


class LeastTests:
    """Fail a session in which too few tests passed: skips must not look like success."""

    def __init__(self, least):
        self.least = least
        self.outcomes = {}

    @property
    def passed(self):
        return sum(self.outcomes.values())

    def pytest_runtest_logreport(self, report):
        # Under xdist the workers' reports come to the controller, which counts them all.
        if report.when == "call":
            passed = report.passed and not hasattr(report, "wasxfail")
            self.outcomes[report.nodeid] = self.outcomes.get(report.nodeid, True) and passed

    def pytest_sessionfinish(self, session, exitstatus):
        if self.passed < self.least and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter):
        if self.passed < self.least:
            terminalreporter.write_line(
                f"--least-tests asks for {self.least} passed tests, but only {self.passed} passed",
                red=True,
            )


def pytest_addoption(parser):
    parser.addoption(
        "--least-tests",
        type=whole_number,
        default=0,
        metavar="N",
        help="fail a session in which fewer than N tests passed",
    )


def pytest_configure(config):
    missing = sorted(n for n in required_frameworks() if not is_there(n))
    if missing:  # also for modules that would skip themselves
        raise pytest.UsageError(f"GC_REF_REQUIRE_FRAMEWORKS: not installed: {', '.join(missing)}")
    is_worker = hasattr(config, "workerinput")  # of xdist: it sees its share only
    if config.option.least_tests and not (is_worker or config.option.collectonly):
        config.pluginmanager.register(LeastTests(config.option.least_tests), "least-tests")


def pytest_runtest_setup(item):
    for name in (*PROGRAMS, "tfjs"):  # a required one is there: see pytest_configure
        if item.get_closest_marker(name) is not None and not is_there(name):
            how = "npm ci in conformance/ports/tfjs" if name == "tfjs" else "put it on the path"
            pytest.skip(f"needs {name}: {how}")
    for name in FRAMEWORKS:
        if item.get_closest_marker(name) is None:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what a framework warns of itself
                if name == "keras":  # it reads its backend when it is imported
                    select_backend()
                importlib.import_module(name)
        except ImportError as error:
            if name in required_frameworks():
                pytest.fail(f"GC_REF_REQUIRE_FRAMEWORKS names {name}: {error}", pytrace=False)
            pytest.skip(f"needs {name}: {error}")


@pytest.fixture(scope="session")
def known_to_all_judges():
    """What is right on a case: all judges of this process share it, as it is so for all ports."""
    shared = Known()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "Known", lambda: shared)
        yield shared


@pytest.fixture(autouse=True)
def what_is_right_is_computed_once(known_to_all_judges):
    """Keep it from test to test, until it takes about a gigabyte."""
    known_to_all_judges.forget(above=5000)
