"""The README's main command: judge a right operator and a wrong one, and say why.

It needs no framework. The exit status is 0 only if both verdicts are the expected ones.
"""

import sys

from ports import numpy_examples

from gc_ref.conformance import check, operator_port

EXPECTED = {"centralize": "conforms", "centralize_wrong_axes": "deviates"}


def main(expected):
    """Print both reports; return how many verdicts are not the expected ones."""
    surprises = 0
    for name, verdict in expected.items():
        port = operator_port(
            getattr(numpy_examples, name),
            target=f"operator:conformance/ports/numpy_examples.py:{name}",
        )
        report = check(port)
        print(report.to_text())
        if report.verdict != verdict:
            surprises += 1
            print(f"UNEXPECTED: {name} should be judged {verdict!r}, not {report.verdict!r}\n")
    print(f"{len(expected) - surprises} of {len(expected)} verdicts are as expected")
    return surprises


if __name__ == "__main__":
    sys.exit(min(main(EXPECTED), 1))
