"""Conventions: what is known, what is refused, who wins."""

import pytest

from gc_ref._conformance.ports.conventions import (
    CONVENTIONS,
    Conventions,
    parse_conventions,
    refuse_meaningless,
)

# Contract 4.4; the first value of each is the paper's own.
FIELDS = {
    "layout": ["output-first", "output-last"],
    "placement": ["gradient", "decayed-gradient", "update", "decayed-update"],
    "momentum": ["ema", "heavy-ball", "velocity"],
    "first_momentum": ["zero", "gradient"],
    "epsilon": ["outside", "hat"],
    "decay": ["none", "l2", "decoupled"],
    "scope": ["all", "conv-only"],
    "fan_in_one": ["erase", "keep"],
    "axes_rule": ["by-rank", "by-kind"],
}


def test_fields_and_values_are_those_of_the_contract():
    assert {f: list(c.values) for f, c in CONVENTIONS.items()} == FIELDS
    assert all(CONVENTIONS[f].field == f for f in FIELDS)


def test_every_value_says_what_it_means_in_words_of_its_own():
    meanings = [m for c in CONVENTIONS.values() for m in c.values.values()]
    assert all(m.strip() and m.isprintable() for m in meanings)
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize("value", FIELDS["placement"])
def test_a_placement_says_what_becomes_of_the_weight_constraint(value):
    assert "weight constraint" in CONVENTIONS["placement"].values[value]


def test_parse_returns_a_copy():
    declared = {"momentum": "velocity", "scope": "conv-only"}
    found = parse_conventions(declared)
    assert found == declared
    assert found is not declared
    assert parse_conventions({}) == {}


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"momentums": "ema"}, ["'momentums'", *FIELDS]),
        ({"momentum": "nesterov"}, ["momentum", "'nesterov'", *FIELDS["momentum"]]),
        ({"momentum": "EMA"}, ["'EMA'", "ema"]),
        ({"scope": ""}, ["scope", "''", "conv-only"]),
        ({"layout": "output-last", "decay": "L2"}, ["decay", "'L2'", "l2"]),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(declared, words):
    with pytest.raises(ValueError, match=r"known|it has") as error:
        parse_conventions(declared)
    message = str(error.value)
    assert all(word in message for word in words)
    assert "\n" not in message


def test_a_field_that_nothing_showed_has_the_papers_value():
    nothing = Conventions({}, {})
    assert {f: nothing.get(f) for f in FIELDS} == {f: v[0] for f, v in FIELDS.items()}


def test_what_was_declared_stays():
    declared = Conventions({"momentum": "ema"}, {"momentum": "declared"})
    both = declared.with_inferred({"momentum": "heavy-ball", "scope": "conv-only"})
    assert both.get("momentum") == "ema"
    assert both.get("scope") == "conv-only"
    assert both.sources == {"momentum": "declared", "scope": "inferred"}
    assert declared.get("scope") == "all"  # the first one is left as it was


def test_json_has_the_fields_in_the_contracts_order():
    found = Conventions({}, {}).with_inferred({"scope": "all", "layout": "output-last"})
    assert list(found.to_json().items()) == [
        ("layout", {"value": "output-last", "source": "inferred"}),
        ("scope", {"value": "all", "source": "inferred"}),
    ]


OF_STEPS = {"placement", "momentum", "first_momentum", "epsilon", "decay"}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("kind", "algorithm", "refused"),
    [
        ("operator", None, OF_STEPS),
        ("torch", "sgdm", {"epsilon"}),
        ("numpy", "adam", {"momentum", "first_momentum"}),
        ("keras", None, set()),
    ],
)
def test_a_convention_that_means_nothing_for_a_port(field, kind, algorithm, refused):
    declared = {field: FIELDS[field][0]}
    if field not in refused:
        refuse_meaningless(declared, algorithm, operator=kind == "operator")
        return
    with pytest.raises(ValueError, match=f"^convention {field} is about") as caught:
        refuse_meaningless(declared, algorithm, operator=kind == "operator")
    assert (algorithm or "an operator takes none") in str(caught.value)
