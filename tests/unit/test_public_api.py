"""The public face: what it holds, and that it is documented."""

import inspect
import types

import pytest

import gc_ref

FUNCTIONS = ["adam_init", "adam_step", "centralize", "projection", "sgdm_init", "sgdm_step"]
STATES = {"AdamState": ("first_moment", "second_moment", "step"), "SGDMState": ("momentum",)}


def test_all():
    assert gc_ref.__all__ == sorted([*FUNCTIONS, *STATES, "__version__"])
    public = {
        name
        for name, value in vars(gc_ref).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == {*FUNCTIONS, *STATES}


def test_version():
    from importlib import metadata

    try:
        installed = metadata.version("gc-ref")
    except metadata.PackageNotFoundError:
        pytest.skip("gc-ref is not installed, only importable")
    assert gc_ref.__version__ == installed


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_documented(name):
    function = getattr(gc_ref, name)
    text = inspect.getdoc(function)
    for section in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in text
    assert any(clause in text for clause in ("Eq. 1", "Eq. 2", "Algorithm 1", "Algorithm 2"))
    assert ">>>" in text
    for parameter in inspect.signature(function).parameters:
        assert parameter in text.partition("Returns\n")[0]


@pytest.mark.parametrize("name", STATES)
def test_state_is_documented(name):
    state = getattr(gc_ref, name)
    text = inspect.getdoc(state)
    assert state._fields == STATES[name]
    assert all(f"\n{field} : " in text for field in state._fields)
    assert ">>>" in text


def test_signatures():
    def shape(function):
        return [
            (p.name, p.kind.name, None if p.default is p.empty else repr(p.default))
            for p in inspect.signature(function).parameters.values()
        ]

    key = "KEYWORD_ONLY"
    assert shape(gc_ref.centralize) == [
        ("grad", "POSITIONAL_ONLY", None),
        ("output_axis", key, None),
    ]
    step = [(n, "POSITIONAL_OR_KEYWORD", None) for n in ("weight", "grad", "state")]
    assert shape(gc_ref.sgdm_step) == [
        *step,
        ("lr", key, None),
        ("momentum", key, "0.9"),
        ("dampening", key, "None"),
        ("output_axis", key, None),
    ]
    assert shape(gc_ref.adam_step) == [
        *step,
        ("lr", key, None),
        ("beta1", key, "0.9"),
        ("beta2", key, "0.999"),
        ("eps", key, "1e-08"),
        ("output_axis", key, None),
    ]
