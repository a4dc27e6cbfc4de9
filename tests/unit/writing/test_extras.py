"""Optional libraries: what works without them, and what is said where one is needed."""

import subprocess
import sys
import tomllib
from pathlib import Path

import _reports
import pytest

from gc_ref._conformance.cli.main import main
from gc_ref._conformance.known_failures.accept import write_entries
from gc_ref._conformance.reports.html import page
from gc_ref._conformance.writing.extras import EXTRAS, LIBRARIES
from gc_ref.conformance import check, operator_port

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))[
    "project"
]
PORT = """
from pathlib import Path


def half(g):
    Path("was-run").touch()
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True) / 2
"""
CHECK = ["check", "operator:ports.py:half", "--max-examples", "0"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "ports.py").write_text(PORT, "utf-8")
    (tmp_path / "r.json").write_text(_reports.text("swapped"), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def hide(monkeypatch):
    """Make libraries look as if they were not installed."""

    def hide(*modules):
        page.environment.cache_clear()
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)

    yield hide
    page.environment.cache_clear()


@pytest.mark.parametrize("module", LIBRARIES)
def test_each_is_in_the_extra_that_the_message_names(module):
    library, extra = LIBRARIES[module]
    required = [r.partition(">")[0].lower() for r in PROJECT["optional-dependencies"][extra]]
    assert library.lower() in required
    assert not any(r.partition(">")[0].lower() == library.lower() for r in PROJECT["dependencies"])


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_command_installs_all_of_the_extra(extra):
    required = [r.partition(">")[0] for r in PROJECT["optional-dependencies"][extra]]
    assert EXTRAS[extra].split() == required
    assert EXTRAS.keys() == {extra for _, extra in LIBRARIES.values()}


def test_a_port_is_judged_without_any_of_them(here):
    """In a process of its own, which cannot have loaded them before."""
    words = [*CHECK, "--json", "r.json", "--markdown", "r.md", "--badge", "r.badge"]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({list(LIBRARIES)}))\n"
        "import gc_ref.conformance\n"
        f"from gc_ref._conformance.cli.main import main; sys.exit(main({words}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("DEVIATES: half ")
    assert all((here / name).stat().st_size for name in ("r.json", "r.md", "r.badge"))


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        ("jinja2", [*CHECK, "--html", "r.html"], "--html needs Jinja2"),
        ("jinja2", ["report", "r.json", "--html", "r.html"], "--html needs Jinja2"),
        ("jsonschema", ["report", "r.json"], "gc-ref report needs jsonschema"),
        ("hypothesis", CHECK[:2], "Fuzzing needs Hypothesis"),
        ("tomlkit", [*CHECK, "--accept", "known.toml"], "--accept needs tomlkit"),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(here, hide, capsys, module, words, message):
    hide(module)
    assert main(words) == 2
    out, err = capsys.readouterr()
    extra = LIBRARIES[module][1]
    otherwise = "; without it: --max-examples 0 (max_examples=0)" if module == "hypothesis" else ""
    assert out == ""
    how = f"pip install {EXTRAS[extra]} (gc-ref's extra '{extra}'){otherwise}"
    assert err == f"gc-ref: {message}, which is not installed: {how}\n"
    assert sorted(p.name for p in here.iterdir()) == ["ports.py", "r.json"]


def test_a_file_that_is_no_json_is_told_so_first(here, hide, capsys):
    hide("jsonschema")
    assert main(["report", "r.json", "ports.py"]) == 2
    said = "gc-ref: ports.py: is no JSON, so no report that gc-ref check --json wrote: "
    assert capsys.readouterr().err.startswith(said)


def test_the_schema_is_printed_without_them(hide, capsys):
    hide(*LIBRARIES)
    assert main(["report", "--schema"]) == 0
    assert capsys.readouterr().out.startswith("{")


def test_one_report_is_rendered_in_markdown_without_jinja2(here, hide, capsys):
    hide("jinja2", "matplotlib")
    assert main(["report", "r.json"]) == 0
    assert capsys.readouterr().out.startswith("## ✗ swapped deviates")


def test_from_python_it_is_an_import_error(here, hide):
    report = check(operator_port(_reports.plain), max_examples=0)
    hide("jinja2", "tomlkit")
    with pytest.raises(
        ImportError, match=r"HTML report needs Jinja2.*pip install jinja2 "
    ) as caught:
        report.to_html()
    assert caught.value.name == "jinja2"
    with pytest.raises(ImportError, match=r"needs tomlkit.*pip install .* tomlkit "):
        write_entries("known.toml", "mine", {})
