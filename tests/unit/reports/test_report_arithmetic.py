"""The report says which rounding the port was granted."""

from dataclasses import replace

import _reports

from gc_ref.conformance import check, operator_port


class TestArithmetic:
    """The report says which rounding the port was granted: its adapter chose it."""

    @staticmethod
    def shown(port):
        found = check(port, max_examples=0)
        said = found.to_dict()["environment"]["arithmetic"]
        assert f"Arithmetic granted: {said}" in " ".join(found.to_text().split())
        return said

    def test_of_an_operator(self):
        port = operator_port(_reports.plain)
        said = "float16 (sums in float32), float32, float64; subnormals kept"
        assert self.shown(port) == said

    def test_flush_to_zero_is_the_adapters_choice(self):
        port = replace(operator_port(_reports.plain), flush_to_zero=True)
        assert self.shown(port).endswith("; subnormals may be flushed to zero")

    def test_half_precision_sums_are_named(self):
        assert "float16 (sums in float16)" in self.shown(operator_port(_reports.sums_in_its_dtype))

    def test_hyperparameters_of_an_optimizer(self):
        from gc_ref._conformance.cli.reference_port import reference_port

        said = self.shown(reference_port("sgdm", {}, ()))
        assert "; hyperparameters in float32 or wider;" in said
