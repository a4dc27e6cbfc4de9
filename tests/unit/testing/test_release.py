"""What is uploaded: the sdist and the wheel, checked, and tried in environments of their own."""

import subprocess
import sys
import venv

import pytest
import yaml

import gc_ref

from ._built import PIP, ROOT

PORTS = """
def right(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def wrong(g):
    return g
"""


def test_the_index_will_take_both(distributions):
    pytest.importorskip("twine")
    files = sorted(distributions.iterdir())
    assert [f.name for f in files] == [
        f"gc_ref-{gc_ref.__version__}-py3-none-any.whl",
        f"gc_ref-{gc_ref.__version__}.tar.gz",
    ]
    twine = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files]
    done = subprocess.run(twine, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


@pytest.fixture(params=["*.whl", "*.tar.gz"], ids=["wheel", "sdist"])
def environment(request, distributions, tmp_path):
    """Run programs of an environment that has one file and what it needs, in an empty folder."""
    venv.create(tmp_path / "env", with_pip=False)
    programs, work = tmp_path / "env" / "bin", tmp_path / "work"
    work.mkdir()
    (file,) = distributions.glob(request.param)
    pip = [PIP[0], "-m", "pip", "--python", programs / "python", *PIP[3:]]
    subprocess.run([*pip, "install", f"gc-ref[check] @ {file.resolve().as_uri()}"], check=True)

    def run(program, *words):
        return subprocess.run(
            [programs / program, *words], cwd=work, env={"PATH": ""}, capture_output=True,
            encoding="utf-8",
        )  # fmt: skip

    run.folder = work
    return run


def test_an_empty_environment_gets_all_that_is_needed(environment):
    (environment.folder / "ports.py").write_text(PORTS, "utf-8")
    found = "import gc_ref; print(gc_ref.__version__, gc_ref.__file__)"
    version, file = environment("python", "-c", found).stdout.split()
    assert version == gc_ref.__version__
    assert file.startswith(str(environment.folder.parent / "env"))
    for name, status in (("right", 0), ("wrong", 1)):
        words = ("check", f"operator:ports.py:{name}", "--max-examples", "0")
        done = environment("gc-ref", *words)
        assert done.returncode == status, done.stdout + done.stderr
        assert done.stdout.startswith("CONFORMS" if status == 0 else "DEVIATES")
    done = environment("gc-ref", "vectors", "copy", "vectors")
    assert done.returncode == 0, done.stderr
    ours = {p.name for p in (ROOT / "conformance" / "vectors").rglob("*.json")}
    assert {p.name for p in environment.folder.glob("vectors/**/*.json")} == ours


def test_publishing_builds_checks_and_needs_no_password():
    workflow = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text("utf-8"))
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    commands = [step["run"] for step in build["steps"] if "run" in step]
    assert any("-m build" in c for c in commands)
    assert any("twine check --strict" in c for c in commands)
    assert publish["needs"] == "build"
    assert publish["permissions"] == {"id-token": "write"}
    assert not any("password" in str(step) for step in publish["steps"])


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == gc_ref.__version__
    assert citation["preferred-citation"]["title"].startswith("Gradient Centralization")
    assert f"\n## {gc_ref.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
