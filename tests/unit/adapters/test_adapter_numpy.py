"""The NumPy adapter: what a function run(case) is given, and which answers are refused."""

import sys
import warnings

import numpy as np
import pytest

from gc_ref.conformance import Case, Parameter, PortError, PortLoadError, Trajectory, numpy_port

W = Parameter("dense_0", "dense", np.ones((2, 1), np.float32), "dense")
CASE = Case(
    "probe",
    (W,),
    tuple({W.name: np.array([[a], [b]], np.float32)} for a, b in ((1, 3), (5, 9))),
    {"lr": 0.5},
)


def sgd(case, scale=1.0):
    weights = {p.name: p.value for p in case.parameters}
    steps = []
    for gradients in case.gradients:
        lr = np.float32(case.hyperparameters["lr"] * scale)
        weights = {k: w - lr * (gradients[k] - gradients[k].mean()) for k, w in weights.items()}
        steps.append(weights)
    return steps


def test_a_port_answers_its_own_trajectory():
    port = numpy_port(sgd)
    assert (port.name, port.kind, port.layout) == ("sgd", "numpy", "output-last")
    found = port.run(CASE)
    # Φ(1, 3) = (-1, 1) and Φ(5, 9) = (-2, 2), of which half is taken.
    assert [s[W.name].ravel().tolist() for s in found.steps] == [[1.5, 0.5], [2.5, -0.5]]
    assert found.dtypes == {W.name: "float32"}
    assert found.notes == ()


def test_settings_are_handed_over():
    found = numpy_port(sgd, settings={"scale": 2.0}).run(CASE)
    assert found.steps[0][W.name].ravel().tolist() == [2.0, 0.0]


def test_a_trajectory_and_a_tuple_are_answers_too():
    def as_trajectory(case):
        return Trajectory(tuple(sgd(case)))

    plain = numpy_port(sgd).run(CASE).steps
    for run in (as_trajectory, lambda case: tuple(sgd(case))):
        for a, b in zip(numpy_port(run).run(CASE).steps, plain, strict=True):
            assert np.array_equal(a[W.name], b[W.name])


def test_steps_that_share_one_array_are_not_told_apart_and_later_writes_do_no_harm():
    kept = {}

    def reuses(case):
        kept[W.name] = case.parameters[0].value.copy()
        return [dict(kept) for _ in case.gradients]

    found = numpy_port(reuses).run(CASE)
    kept[W.name][...] = 99
    assert all(np.array_equal(s[W.name], W.value) for s in found.steps)


def test_the_dtype_that_comes_back_is_told():
    def widens(case):
        return [{k: v.astype(np.float64) for k, v in s.items()} for s in sgd(case)]

    assert numpy_port(widens).run(CASE).dtypes == {W.name: "float64"}


def test_writing_to_gradients_is_noted_and_spoils_no_later_run():
    def writes(case):
        answer = sgd(case)
        for gradients in case.gradients:
            gradients[W.name][...] = 7
        return answer

    port = numpy_port(writes)
    first, again = port.run(CASE), port.run(CASE)
    assert first.writes_gradient
    assert np.array_equal(first.steps[1][W.name], again.steps[1][W.name])
    assert CASE.gradients[0][W.name].ravel().tolist() == [1, 3]


def test_writing_to_parameters_spoils_no_later_run():
    def trains_in_place(case):
        steps = []
        for gradients in case.gradients:
            for p in case.parameters:
                p.value[...] -= 0.5 * gradients[p.name]
            steps.append({p.name: p.value.copy() for p in case.parameters})
        return steps

    port = numpy_port(trains_in_place)
    try:
        first, again = port.run(CASE), port.run(CASE)
        assert np.array_equal(first.steps[0][W.name], again.steps[0][W.name])
        assert W.value.ravel().tolist() == [1, 1]
    finally:
        W.value[...] = 1


def test_a_gradient_of_nan_is_not_taken_for_a_write():
    case = Case("nan", (W,), ({W.name: np.full((2, 1), np.nan, np.float32)},), {"lr": 0.5})
    assert numpy_port(sgd).run(case).notes == ()


def test_prints_and_warnings_are_kept_out_of_the_report(capsys):
    def noisy(case):
        print("hello")
        print("hello", file=sys.stderr)
        warnings.warn("hello", stacklevel=1)
        return sgd(case)

    numpy_port(noisy).run(CASE)
    assert capsys.readouterr() == ("", "")


def raises(case):
    raise RuntimeError("no\nluck")


def leaves(case):
    sys.exit(0)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda case: None, ["NoneType", "expected a list"]),
        (lambda case: iter(sgd(case)), ["iterator", "expected a list"]),
        (lambda case: {W.name: W.value}, ["dict", "expected a list"]),
        (lambda case: [3, 4], ["step 1", "int", "mapping"]),
        (lambda case: [{W.name: [[1.0], [2.0]]}] * 2, [W.name, "step 1", "list", "NumPy array"]),
        (lambda case: [{W.name: W.value}, {W.name: None}], [W.name, "step 2", "NoneType"]),
        (raises, ["raises", "RuntimeError: no luck"]),
        (leaves, ["leaves", "SystemExit"]),
        (lambda case: case.hyperparameters["beta3"], ["KeyError", "beta3"]),
    ],
)
def test_an_answer_that_cannot_be_used_is_one_clear_message(run, words):
    with pytest.raises(PortError) as error:
        numpy_port(run, name=getattr(run, "__name__", "port")).run(CASE)
    message = str(error.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert "probe" in message  # the case


def test_an_unknown_setting_is_told():
    with pytest.raises(PortError, match=r"sgd raised .*TypeError.*scales"):
        numpy_port(sgd, settings={"scales": 1}).run(CASE)


@pytest.mark.parametrize("run", [None, 3, "run"])
def test_what_cannot_be_called_is_refused(run):
    with pytest.raises(PortLoadError, match="not a function"):
        numpy_port(run)


def test_conventions_are_checked_at_once():
    with pytest.raises(ValueError, match="heavyball"):
        numpy_port(sgd, conventions={"momentum": "heavyball"})


def test_names():
    class Runner:
        def __call__(self, case):
            return sgd(case)

    assert numpy_port(Runner()).name == "Runner"
    assert numpy_port(sgd, name="mine").name == "mine"


def test_conventions_of_another_algorithm_are_refused():
    with pytest.raises(ValueError, match="convention epsilon is about algorithm adam"):
        numpy_port(sgd, algorithm="sgdm", conventions={"epsilon": "hat"})
    assert numpy_port(sgd, conventions={"epsilon": "hat"}).conventions == {"epsilon": "hat"}


def test_the_hint_at_operators_is_for_them_alone():
    def raises(case):
        raise ValueError("no luck")

    for run in (raises, lambda case: None):
        with pytest.raises(PortError) as caught:
            numpy_port(run).run(CASE)
        assert "operator" not in str(caught.value)
