"""Cases: equal content gives an equal digest, and each member changes it."""

from dataclasses import replace

import numpy as np
import pytest

from gc_ref.conformance import Case, Parameter


def case_of(shift=0.0, **members):
    """Return a new case of two parameters and two steps, with new arrays."""
    weight = np.arange(6, dtype=np.float32).reshape(2, 3) + np.float32(shift)
    parameters = (
        Parameter("dense_0", "dense", weight, "dense"),
        Parameter("dense_0", "bias", np.zeros(3, np.float32), "dense"),
    )
    gradients = tuple({p.name: p.value + np.float32(step) for p in parameters} for step in (1, 2))
    case = Case("some", parameters, gradients, {"lr": 0.5, "momentum": 0.25})
    return replace(case, **members)


def with_weight(**members):
    first, *others = case_of().parameters
    return {"parameters": (replace(first, **members), *others)}


def with_gradient(change, step=1):
    gradients = [dict(g) for g in case_of().gradients]
    gradients[step]["dense_0.kernel"] = change(gradients[step]["dense_0.kernel"])
    return {"gradients": tuple(gradients)}


def test_equal_content_has_an_equal_digest():
    assert case_of().digest == case_of().digest
    assert case_of().digest == case_of().with_drive().digest


@pytest.mark.parametrize(
    "members",
    [
        {"hyperparameters": {"momentum": 0.25, "lr": 0.5}},
        {"hyperparameters": {"lr": np.float64(0.5), "momentum": np.float32(0.25)}},
        {"gradients": tuple(dict(reversed(g.items())) for g in case_of().gradients)},
        {"gradients": case_of().gradients, "drive": frozenset()},
        with_gradient(np.asfortranarray),
        with_gradient(lambda g: np.repeat(g, 2, axis=1)[:, ::2]),
    ],
    ids=["order-of-settings", "kind-of-float", "order-of-names", "same", "fortran", "strided"],
)
def test_what_a_port_cannot_tell_is_the_same_case(members):
    assert case_of(**members).digest == case_of().digest


@pytest.mark.parametrize(
    "members",
    [
        {"id": "other"},
        {"dtype": "float16"},
        {"drive": frozenset({"eager"})},
        {"drive": frozenset({"eager", "twin"})},
        {"hyperparameters": {"lr": 0.5}},
        {"hyperparameters": {"lr": 0.5, "momentum": 0.25000000000000006}},
        {"hyperparameters": {"lr": 0.5, "beta1": 0.25}},
        {"parameters": case_of().parameters[::-1]},
        {"parameters": case_of().parameters[:1]},
        with_weight(layer="dense_1"),
        with_weight(kind="embedding"),
        with_weight(layer_kind="embedding"),
        with_weight(value=np.zeros((2, 3), np.float32)),
        with_weight(value=-case_of().parameters[0].value),  # 0 has become -0
        with_weight(value=case_of().parameters[0].value.reshape(3, 2)),
        with_weight(value=case_of().parameters[0].value.astype(np.float64)),
        {"gradients": case_of().gradients[:1]},
        {"gradients": case_of().gradients[::-1]},
        {"gradients": (*case_of().gradients, {})},
        {"gradients": ({}, *case_of().gradients)},
        with_gradient(lambda g: g * 2),
        with_gradient(lambda g: g * 2, step=0),
        with_gradient(lambda g: np.where(g == g.max(), np.nan, g)),
        with_gradient(lambda g: g.T.copy()),
    ],
)
def test_each_member_changes_it(members):
    assert case_of(**members).digest != case_of().digest


def test_all_of_these_differ_from_each_other():
    zero, one = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    steps = [{"dense_0.kernel": zero}, {"dense_0.kernel": one}, {}]
    cases = [case_of(gradients=(a, b)) for a in steps for b in steps]
    assert len({case.digest for case in cases}) == len(cases)


def test_bits_count():
    nan, negative = with_gradient(lambda g: g * np.nan), with_gradient(lambda g: g * -0.0)
    assert case_of(**nan).digest == case_of(**nan).digest
    assert case_of(**negative).digest != case_of(**with_gradient(lambda g: g * 0.0)).digest


@pytest.mark.parametrize("kept", [(), ("dense_0.kernel",), ("dense_0.kernel", "unknown")])
def test_gradients_need_not_fit_the_parameters(kept):
    odd = {name: np.ones((2, 3), np.float32) for name in kept}
    case = case_of(gradients=(odd,))
    assert case.digest == case_of(gradients=(dict(odd),)).digest
    assert case.digest != case_of(gradients=case_of().gradients[:1]).digest


def test_a_scalar_and_an_empty_array_have_one():
    for value in (np.float32(3.0), np.zeros((0, 3), np.float32), np.array(3.0, np.float16)):
        parameter = Parameter("temperature", "scalar", np.asarray(value), "scalar")
        case = Case("odd", (parameter,), ({parameter.name: np.asarray(value)},))
        assert len(case.digest) == 64
