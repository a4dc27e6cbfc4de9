"""Keras's backends: which one is taken, all tests of the adapter on the others, and old Keras."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from gc_ref._conformance.adapters.keras.port import select_backend
from gc_ref.conformance import keras_port

from ._keras_probe import BACKEND, case_of, same

pytestmark = pytest.mark.keras
OTHERS = [
    b
    for b in ("jax", "torch", "tensorflow")
    if b != BACKEND and importlib.util.find_spec(b) is not None
]
#: All that is tested of the adapter: these files, this one among them.
TESTS = [str(path) for path in sorted(Path(__file__).parent.glob("test_adapter_keras*.py"))]


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"tensorflow", "jax", "torch"}, None),
        ({"jax", "torch"}, "jax"),
        ({"torch"}, "torch"),
        (set(), None),
    ],
)
def test_backend_where_nobody_chose_one(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], expected: str | None
) -> None:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in installed or None)
    select_backend()
    assert os.environ.get("KERAS_BACKEND") == expected


def test_backend_that_was_chosen_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"KERAS_BACKEND": "torch"})
    monkeypatch.delitem(sys.modules, "keras")
    select_backend()
    assert os.environ["KERAS_BACKEND"] == "torch"


@pytest.mark.tf_keras
@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf_keras has no other backend")
@pytest.mark.parametrize("generation", ["new", "legacy"])
def test_legacy_keras(generation: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tf_keras
    optimizers = tf_keras.optimizers if generation == "new" else tf_keras.optimizers.legacy
    port = keras_port(optimizers.SGD)
    assert "tf_keras" in port.environment
    case = case_of(("dense", "embedding", "attention-in"), steps=2, lr=1.0, momentum=0.5)
    first, second = case.gradients
    for drive in ("plain", "checkpoint"):
        steps = port.run(case.with_drive(drive)).steps
        assert same(steps[0], {n: -g for n, g in first.items()})
        assert same(steps[1], {n: -1.5 * g - second[n] for n, g in first.items()})


def test_keras_is_not_imported_before_it_is_needed() -> None:
    code = "import gc_ref._conformance.adapters.keras.port, sys; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif("GC_REF_ONE_BACKEND" in os.environ, reason="this is one of the others")
@pytest.mark.parametrize("backend", OTHERS)
def test_the_other_backends(backend: str) -> None:
    environment = {**os.environ, "KERAS_BACKEND": backend, "GC_REF_ONE_BACKEND": "1"}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--least-tests",
            "20",
            *TESTS,
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
