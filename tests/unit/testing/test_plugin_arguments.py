"""parametrize_with_checks: which arguments it takes, and what it makes of them."""

import pytest

from gc_ref.conformance import CHECKS, operator_port, parametrize_with_checks


def plain(g):
    return g


@pytest.mark.parametrize(
    ("ports", "known", "error", "message"),
    [
        ([], None, ValueError, "no port"),
        ([plain], None, TypeError, "is no port: make one of it with operator_port"),
        ([operator_port(plain), operator_port(plain)], None, ValueError, "two ports are called"),
        (operator_port(plain), {"value/exat": "r"}, ValueError, "did you mean 'value/exact'"),
        (operator_port(plain), {"value/exact": ""}, ValueError, "expected_failed_checks gives no"),
        (operator_port(plain), lambda port: ["value/exact"], ValueError, "not list"),
        (operator_port(plain), "no.toml", ValueError, "no.toml: No such file"),
    ],
)
def test_arguments_that_are_wrong(ports, known, error, message):
    with pytest.raises(error, match=message):
        parametrize_with_checks(ports, expected_failed_checks=known)


def test_a_function_says_what_is_known_of_a_port():
    asked = []
    mark = parametrize_with_checks(
        operator_port(plain), expected_failed_checks=lambda port: asked.append(port.name)
    )
    assert asked == ["plain"]
    assert [p.id for p in mark.args[1]] == [f"plain-{id}" for id in CHECKS]


def test_the_port_must_be_that_of_the_test():
    mark = parametrize_with_checks(operator_port(plain))
    with pytest.raises(TypeError, match="with the port of the same test"):
        mark.args[1][0].values[1](operator_port(plain))
