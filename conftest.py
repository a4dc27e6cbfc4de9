"""Which Hypothesis profile runs, and what happens where a framework is missing."""

import importlib
import os
import warnings

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("search", deadline=None, database=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# Each is a marker: a test that carries it needs the module of that name.
FRAMEWORKS = (
    "array_api_strict",
    "dask",
    "flax",
    "jax",
    "keras",
    "optax",
    "pytorch_optimizer",
    "tensorflow",
    "torch",
)


def required_frameworks():
    """Frameworks that must be there: a typing error here must not skip a test."""
    names = {n.strip() for n in os.environ.get("GC_REF_REQUIRE_FRAMEWORKS", "").split(",")} - {""}
    if unknown := names - set(FRAMEWORKS):
        raise pytest.UsageError(
            f"GC_REF_REQUIRE_FRAMEWORKS names {', '.join(sorted(unknown))}; "
            f"known: {', '.join(FRAMEWORKS)}"
        )
    return names


def pytest_configure(config):
    required_frameworks()


def pytest_runtest_setup(item):
    for name in FRAMEWORKS:
        if item.get_closest_marker(name) is None:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what a framework warns of itself
                importlib.import_module(name)
        except ImportError as error:
            if name in required_frameworks():
                pytest.fail(f"GC_REF_REQUIRE_FRAMEWORKS names {name}: {error}", pytrace=False)
            pytest.skip(f"needs {name}: {error}")
