"""gc-ref vectors copy and gc-ref vectors verify: ports that only read files."""

import json
from pathlib import Path

import pytest

from gc_ref._conformance.cases.vectors import folder, frozen
from gc_ref._conformance.catalogue.deviations import Form
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.cli.main import main
from gc_ref._conformance.vector_files.kills import NOT_SHOWN, answers_of, shown_forms
from gc_ref.conformance import DEVIATIONS

EVERY = [v for algorithm in ("operator", "sgdm", "adam") for v in frozen(algorithm)]
SKIPPED = {"skipped": "not mine"}
FIRST = EVERY[0].id


def results(form=None, only=("operator",)):
    """Answers of a form of the catalogue (by default a right one), as a file has them."""
    found = {}
    for v in EVERY:
        right = Form("", Semantics(algorithm="adam" if v.algorithm == "adam" else "sgdm"))
        values = answers_of(v, form or right) if v.algorithm in only else None
        found[v.id] = SKIPPED if values is None else [[x.hex() for x in row] for row in values]
    return found


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Verify a file of results: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(content, *words):
        if not isinstance(content, (str, bytes)):
            head = {"schema": "gc-ref-results/1", "port": "mine"}
            content = json.dumps({**head, "results": content})
        if isinstance(content, str):
            content = content.encode()
        (tmp_path / "results.json").write_bytes(content)
        status = main(["vectors", "verify", "results.json", *words])
        return (status, *capsys.readouterr())

    return run


def test_a_right_port_conforms(run):
    status, text, problem = run(results(only=("operator", "sgdm", "adam")))
    assert (status, problem) == (0, "")
    assert text.startswith("CONFORMS: mine passes 208 of 208 vectors\n")
    assert "208 verified, 0 skipped, 0 missing" in text


@pytest.mark.parametrize(
    ("name", "form"), list(shown_forms()), ids=lambda x: x if x is str else None
)
def test_every_form_is_identified_by_what_it_fails(run, name, form, tmp_path):
    status, text, _ = run(results(form, ("operator", "sgdm", "adam")), "--json", "out.json")
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert status == 1
    assert text.startswith("DEVIATES: mine fails ")
    assert found["verdict"] == "deviates"
    assert found["identified"] == [name.partition("/")[0]]
    assert DEVIATIONS[found["identified"][0]].sentence.split()[0] in text


def test_plain_numbers_are_as_good_as_hexadecimal_ones(run):
    found = results()
    found = {
        k: v if isinstance(v, dict) else [[float.fromhex(x) for x in row] for row in v]
        for k, v in found.items()
    }
    text = json.dumps(found)
    assert "NaN" in text
    assert run({k: v for k, v in found.items() if "nan" not in k} | {
        k: SKIPPED for k in found if "nan" in k
    })[0] == 0  # fmt: skip


def test_what_failed_is_shown_with_its_clause_and_its_numbers(run):
    found = results()
    found[FIRST][0][1] = "0x1p+9"
    status, text, _ = run(found)
    assert status == 1
    assert f"DEVIATES: mine fails 1 of 126 vectors ({FIRST})" in text
    assert f"FAILED  {FIRST}  [Eq. 1] Φ(g): dense of shape (3, 4), output-first" in text
    assert "1 of 12 values are off at step 1" in text
    assert "at index (0, 1) after step 1: expected -3, got 512, bound 2.2" in text
    assert "Not identified: no known deviation fails these vectors and no others" in text
    assert "Skipped (82): not mine" in text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([[1.0, 2.0]], "2 values at step 1, the vector has 12"),
        ([[0] * 12, [0] * 12], "2 steps, the vector has 1"),
        ([], "0 steps, the vector has 1"),
        ([["nan"] * 12], "12 of 12 values are off at step 1"),
        ([["inf"] * 12], "12 of 12 values are off at step 1"),
        ([["0x1p+1023"] * 12], "12 of 12 values are off at step 1"),
    ],
)
def test_answers_that_fail_their_vector(run, answer, words):
    status, text, problem = run(results() | {FIRST: answer})
    assert (status, problem) == (1, "")
    assert f"FAILED  {FIRST}" in text
    assert words in text
    status, text, _ = run(results() | {FIRST: answer}, "--json", "-")
    [row] = [r for r in json.loads(text)["vectors"] if r["status"] == "failed"]
    assert (row["id"], row["message"]) == (FIRST, words)


def test_a_missing_answer_is_no_pass(run):
    found = results()
    del found[FIRST]
    status, text, _ = run(found)
    assert status == 1
    assert text.startswith("DEVIATES: mine has not answered 1 vectors\n")
    assert 'Missing (1), a vector that the port cannot do says {"skipped": "the reason"}' in text
    assert FIRST in text


def test_nothing_but_skips_is_never_green(run):
    status, text, problem = run({v.id: SKIPPED for v in EVERY})
    assert status == 4
    assert text.startswith("NOTHING VERIFIED: mine has answered none of the vectors\n")
    assert "only 0 vectors were verified, --min-checks asks for 1" in problem
    assert run({})[0] == 4


def test_min_checks_counts_vectors(run):
    assert run(results(), "--min-checks", "126")[0] == 0
    status, _, problem = run(results(), "--min-checks", "127")
    assert (status, problem) == (
        4, "gc-ref: only 126 vectors were verified, --min-checks asks for 127\n"
    )  # fmt: skip


HEAD = '{"schema": "gc-ref-results/1", "port": "p", '


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "results.json is empty"),
        ("  \n", "results.json is empty"),
        ("{", "results.json is not JSON"),
        (b"\xff\xfe\x00", "results.json is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "must hold a JSON object, not []"),
        ("{}", 'its "schema" must be "gc-ref-results/1"'),
        (HEAD + '"results": []}', '"results" must be an object'),
        (HEAD + '"extra": 1, "results": {}}', "has 'extra'; known: schema, suite_version"),
        ('{"schema": "gc-ref-results/1", "results": {}}', "\"port\" is '', expected a text"),
        (HEAD + '"results": {}, "suite_version": 1}', '"suite_version" is 1, expected a text'),
        (HEAD + '"results": {}, "suite_version": "1999.1"}', "unknown suite version '1999.1'"),
        (HEAD + '"results": {"eq1/what": [[1]]}}', "'eq1/what', which is no vector of suite 2026"),
        (HEAD + f'"results": {{"{FIRST}": [[1]], "{FIRST}": [[1]]}}}}', f"{FIRST}' twice"),
        (HEAD + f'"results": {{"{FIRST}": [1, 2]}}}}', "expected a list of values for each step"),
        (HEAD + f'"results": {{"{FIRST}": "0x1p+0"}}}}', "expected a list of values for each step"),
        (HEAD + f'"results": {{"{FIRST}": null}}}}', "expected a list of values for each step"),
        (HEAD + f'"results": {{"{FIRST}": [["abc"]]}}}}', "'abc' is not a number"),
        (HEAD + f'"results": {{"{FIRST}": [["1.5"]]}}}}', "'1.5' is not a number"),
        (HEAD + f'"results": {{"{FIRST}": [[true]]}}}}', "true is not a number"),
        (HEAD + f'"results": {{"{FIRST}": [[1{"0" * 400}]]}}}}', "too large"),
        (HEAD + f'"results": {{"{FIRST}": [["0x1p+9999"]]}}}}', "no float64 is"),
        (HEAD + f'"results": {{"{FIRST}": {{"skipped": ""}}}}}}', 'or {"skipped": "why"}'),
        (HEAD + f'"results": {{"{FIRST}": {{"skip": "x"}}}}}}', 'or {"skipped": "why"}'),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used(run, content, words):
    status, text, problem = run(content)
    assert (status, text) == (2, "")
    assert problem.startswith("gc-ref: results.json")
    assert words in problem
    assert problem.count("\n") == 1


def test_a_file_that_is_not_there(capsys):
    assert main(["vectors", "verify", "/nowhere/results.json"]) == 2
    assert capsys.readouterr().err == "gc-ref: /nowhere/results.json: No such file or directory\n"


def test_suite_versions_must_agree(run):
    said = HEAD + '"suite_version": "2026.1", "results": {}}'
    assert run(said, "--suite-version", "2026.1")[0] == 4
    status, _, problem = run(said, "--suite-version", "2026.2")
    assert status == 2
    assert "is of suite 2026.1, --suite-version asks for 2026.2" in problem
    assert "unknown suite version '2026.9'" in run({}, "--suite-version", "2026.9")[2]


def test_inexact_answers_within_the_bound_are_noted(run):
    found = results()
    found[FIRST][0][0] = (float.fromhex(found[FIRST][0][0]) * (1 + 2**-23)).hex()
    status, text, _ = run(found)
    assert status == 0
    assert "Noted: 1 vectors with exact sums are within their bounds, but not bit for bit" in text


def test_copy_writes_all_files_once(capsys, tmp_path):
    target = tmp_path / "new" / "vectors"
    assert main(["vectors", "copy", str(target)]) == 0
    first = capsys.readouterr().out
    names = {str(p.relative_to(folder())) for p in folder().rglob("*") if p.is_file()}
    assert names == {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
    assert {"README.md", "schema.json", "digest.json", "2026.1/eq-1.json"} <= names
    assert len(first.splitlines()) == len(names)
    assert all((target / n).read_bytes() == (folder() / n).read_bytes() for n in names)
    assert main(["vectors", "copy", str(target)]) == 0
    assert capsys.readouterr().out.count("(unchanged)") == len(names)


def test_copy_refuses_to_overwrite_and_then_writes_nothing(capsys, tmp_path):
    (tmp_path / "schema.json").write_text("mine", "utf-8")
    assert main(["vectors", "copy", str(tmp_path)]) == 2
    problem = capsys.readouterr().err
    assert problem == f"gc-ref: {tmp_path}/schema.json is there and differs: nothing was written\n"
    assert [p.name for p in tmp_path.iterdir()] == ["schema.json"]


def test_copy_to_where_nothing_can_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    assert main(["vectors", "copy", str(tmp_path / "file")]) == 2
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["what"], ["copy"], ["verify"], ["add", "one.json"]])
def test_wrong_words(capsys, words):
    assert main(["vectors", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_not_shown_forms_are_left_to_check():
    assert not {name for name, _ in shown_forms()} & set(NOT_SHOWN)
    assert Path(folder()).is_dir()
