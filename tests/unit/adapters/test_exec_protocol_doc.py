"""conformance/PROTOCOL.md: its messages are those of the kit, and its words are complete."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from _documents import read_blocks

from gc_ref._conformance.adapters.exec import hello as _exec_hello
from gc_ref._conformance.adapters.exec import process as _exec_process
from gc_ref._conformance.adapters.exec import protocol as _exec_protocol
from gc_ref._conformance.adapters.shared.hyperparameters import ALIASES
from gc_ref._conformance.ports import serialization as _serialization
from gc_ref._conformance.ports.port import SkippedError
from gc_ref._conformance.ports.storage import STORAGE
from gc_ref._layouts import KINDS, VECTOR_KINDS
from gc_ref.conformance import Case, Parameter, PortError, exec_port

from ._exec_fake import use

PAGE = (Path(__file__).parents[3] / "conformance" / "PROTOCOL.md").read_text(encoding="utf-8")
BLOCKS = read_blocks("PROTOCOL.md", PAGE)
MESSAGES = {
    (who, what): " ".join(row.strip() for row in block.text.splitlines()).replace("[ {", "[{")
    for block in BLOCKS
    for who, what in block.directives.items()
}
KERNEL = Parameter("dense_0", "dense", np.float32([[0, 1], [3, -0.25]]), "dense")
BIAS = Parameter("dense_0", "bias", np.zeros(2, np.float32), "dense")
CASE = Case(
    "example",
    (KERNEL, BIAS),
    ({KERNEL.name: np.float32([[1, 3], [5, 9]]), BIAS.name: np.float32([1, -1])},),
    {"lr": 0.5, "momentum": 0.0, "eps": 1.0},
)


def play(monkeypatch, answer):
    """Run the page's case; return the port, and what was asked."""
    asked = []

    def reply(number, line):
        asked.append(line.decode("ascii").rstrip("\n"))
        return MESSAGES["program", answer if number else "hello"].encode("ascii") + b"\n"

    use(monkeypatch, reply)
    port = exec_port("fake", settings={"use_gc": True})
    return port, asked


def test_every_json_block_is_a_message():
    names = {("kit", "hello"), ("program", "hello"), ("kit", "run"), ("program", "run")}
    assert set(MESSAGES) == names | {("program", "skipped"), ("program", "error")}
    assert sum(block.language == "json" for block in BLOCKS) == len(MESSAGES)


def test_the_conversation_of_the_page(monkeypatch):
    port, asked = play(monkeypatch, "run")
    found = port.run(CASE).steps
    assert asked == [MESSAGES["kit", "hello"], MESSAGES["kit", "run"]]  # to the byte
    assert (port.name, port.layout, port.takes) == ("my-sgd", "output-first", {"lr", "momentum"})
    # By hand: Φ([1, 3]) = [-1, 1], Φ([5, 9]) = [-2, 2], of which lr = 1/2 is taken.
    assert [s[KERNEL.name].tolist() for s in found] == [[[0.5, 0.5], [4, -1.25]]]
    assert [s[BIAS.name].tolist() for s in found] == [[-0.5, 0.5]]


@pytest.mark.parametrize(("answer", "kind"), [("skipped", SkippedError), ("error", PortError)])
def test_the_other_two_answers(monkeypatch, answer, kind):
    port, _ = play(monkeypatch, answer)
    reason = json.loads(MESSAGES["program", answer])[answer]
    with pytest.raises(kind, match=f": {reason}$"):
        port.run(CASE)


def code_words():
    return set(re.findall(r"`\"?([^`\"\n]+)\"?`", PAGE))


def test_every_word_of_the_protocol_is_on_the_page():
    members = {"protocol", "version", *_exec_hello.Hello.__dataclass_fields__}
    members |= set(json.loads(MESSAGES["kit", "run"])) - {"type"}
    wanted = members | set(ALIASES) | set(_exec_hello.DRIVES) | set(STORAGE)
    wanted |= {*KINDS, *VECTOR_KINDS, "output-first", "output-last", "optimizer", "operator"}
    wanted |= {"steps", "skipped", "error", "sgdm", "adam", "exec:COMMAND", "settings"}
    missing = {w for w in wanted if not any(w in word for word in code_words())}
    assert not missing


def test_figures_of_the_page():
    assert f"Protocol `{_exec_hello.PROTOCOL}`, version {_exec_hello.VERSION}." in PAGE
    sizes = (_exec_protocol.PER_NUMBER, _exec_protocol.PER_ARRAY, _exec_protocol.PER_ANSWER)
    assert sizes == (64, 512, 64 * 1024)
    assert "64 bytes a number, 512 an array, 64 KiB besides" in " ".join(PAGE.split())
    assert _exec_process.FAREWELL == 2
    assert "after two seconds it gets SIGTERM" in PAGE


def test_the_grammar_of_numbers():
    """The page's own words, as a pattern: what it allows is read, what it does not is refused."""
    assert "1 to 32 of 0-9 a-f A-F" in PAGE
    assert "1 to 6 of 0-9" in PAGE
    said = re.compile(
        r"[-+]?0[xX][0-9a-fA-F]{1,32}(\.([0-9a-fA-F]{1,32})?)?[pP][+-]?[0-9]{1,6}|-?inf|-?nan"
    )
    pieces = ("", "-", "0x", "0X", "1", "a", ".", "p", "P", "+", "0", "inf", "nan")
    texts = {a + b + c + d + e for a in pieces for b in pieces for c in pieces
             for d in ("", "p", "1", ".") for e in ("", "0", "-1", "p")}  # fmt: skip
    good = 0
    for text in sorted(texts):
        allowed = said.fullmatch(text) is not None
        good += allowed
        if allowed:
            _serialization.read_number(text)
        else:
            with pytest.raises(_serialization.ProtocolError, match="not a number"):
                _serialization.read_number(text)
    assert good > 20
