"""The catalogue: forms are what they are called, and a deviation needs one entry, no more."""

import pytest

from gc_ref._conformance.cases.vectors import RELEASED, Vector, frozen
from gc_ref._conformance.catalogue.centering import RULES, Rule
from gc_ref._conformance.catalogue.deviations import DEVIATIONS, FORMS, Deviation, Form
from gc_ref._conformance.catalogue.mends import MENDS
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.cli.explain import explain
from gc_ref._conformance.running.selftest import rows
from gc_ref._conformance.vector_files.kills import kills_of
from gc_ref._conformance.wrong_ports.make import FRAMEWORKS


@pytest.mark.parametrize("id", FORMS)
def test_a_form_is_of_its_deviation(id):
    form = FORMS[id]
    assert id == "/".join(part for part in (form.deviation, form.label) if part)
    assert form in DEVIATIONS[form.deviation].forms
    assert form.semantics.deviations == (() if form.flaw else (form.deviation,))
    assert set(form.frameworks) <= set(FRAMEWORKS)


def test_ids_of_forms_occur_once():
    assert len(FORMS) == sum(len(d.forms) for d in DEVIATIONS.values())


@pytest.fixture
def trimmed(monkeypatch):
    """A deviation by a new centering rule: the largest input is left out of the mean."""

    def apply(g):
        largest = g.xp.max(g.values, axis=g.parameter.axes("inputs"), keepdims=True)
        n = g.parameter.fan_in
        return g.values - (g.mean() * n - largest) / max(n - 1, 1)

    rule = Rule("trimmed", "trimmed-mean", "leaves the largest input out of the mean", apply)
    form = Form("", Semantics(centering="trimmed"), deviation="trimmed-mean")
    checks = ("value/exact", "law/zero-mean", "law/linear")
    deviation = Deviation(
        "trimmed-mean", "the mean is taken without the largest input", "Eq. 1", "", checks,
        (form,), since="a later suite",
    )  # fmt: skip
    monkeypatch.setitem(RULES, "trimmed", rule)
    monkeypatch.setitem(DEVIATIONS, deviation.id, deviation)
    monkeypatch.setitem(FORMS, form.id, form)
    monkeypatch.setitem(MENDS, deviation.id, "take the mean of all inputs: {inputs}")
    return deviation


def test_a_new_deviation_is_caught_named_and_explained(trimmed):
    found = list(rows(["numpy"], only=lambda id: id == trimmed.id, controls=False))
    assert [row.name for row in found] == ["trimmed-mean (operator)", "trimmed-mean"]
    assert all(row.killed and row.identified for row in found)
    told = explain(trimmed.id)
    assert "found by: value/exact, law/zero-mean, law/linear" in told
    assert "to mend:  take the mean of all inputs: " in told


def test_a_new_deviation_changes_no_released_vector(trimmed):
    vector = frozen("operator")[0]
    assert kills_of(vector) == list(vector.kills)
    users = Vector({**vector.raw, "since": "user"})
    more = set(kills_of(users)) - set(vector.kills)
    assert trimmed.id in more
    assert all(FORMS[id].since not in RELEASED for id in more)
