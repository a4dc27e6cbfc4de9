"""What is known of a port that averages the first axis only, and the command that is told so."""

from gc_ref._conformance.cli.main import main

FAILED = ["scope/every-weight", "value/exact", "value/bounded", "law/orthogonal"]
KNOWN = "".join(
    f'[ports."first_axis"."{id}"]\nreason = "later"\ndeviation = "partial-axes"\n' for id in FAILED
)


def gc_ref(capsys, port, *words):
    status = main(["check", f"operator:ports.py:{port}", "--max-examples", "0", *words])
    return status, *capsys.readouterr()
