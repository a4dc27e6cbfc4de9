"""The study as its command runs it: equal figures again, and a page true to its record."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from gc_study import records

HERE = Path(__file__).parent
RESULTS = HERE / "results"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The command in a process of its own; code that runs for seconds is compiled in a hurry."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen=false",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    def run(folder, *arguments):
        return subprocess.run(
            [sys.executable, HERE / "run.py", "--output", folder, *arguments],
            env=environment,
            capture_output=True,
            encoding="utf-8",
        )

    return run


ARGUMENTS = ("--quick", "--seeds", "2", "--epochs", "1", "--optimizers", "SGDM")


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    """The results of one small study, in which SGDM takes 8 steps from each start."""
    folder = tmp_path_factory.mktemp("study") / "results"
    done = study(folder, *ARGUMENTS)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def fits(folder):
    return records.read(folder / "fits.jsonl")[1]


@pytest.mark.keras
@pytest.mark.jax
@pytest.mark.sklearn
class TestStudy:
    def test_the_example_is_plain_and_gc_is_not(self, fits):
        assert len(fits) == 2 * 8
        for fit, record in fits.items():
            if fit.arm != "plain":
                plain = fits[fit._replace(arm="plain")]
                same = record["weights"] == plain["weights"]
                assert same == (fit.arm == "example"), fit

    def test_seeds_and_starts_differ(self, fits):
        plain = {r["weights"] for fit, r in fits.items() if fit.arm == "plain"}
        assert len(plain) == 2 * 3

    def test_sgdm_with_gc_stays_and_plain_drifts(self, fits):
        for fit, record in fits.items():
            for name, drift in record["drift"].items():
                # Rounding moves float32 weights by about 1e-7 of themselves in each of 8 steps.
                assert (drift["share"] < 1e-3) == (fit.arm == "GC"), (fit, name)
            assert all(after <= before for before, after in record["norms"].values())

    def test_it_goes_on_where_it_stopped_with_the_same_figures(self, study, folder, fits, tmp_path):
        """The second process runs the second seed alone, and gets the bits of the first process."""
        lines = (folder / "fits.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        cut = tmp_path / "fits.jsonl"
        cut.write_text("".join(lines[: 1 + 8 + 3]) + lines[-1][:40], encoding="utf-8")
        done = study(tmp_path, *ARGUMENTS, "--resume")
        assert done.returncode == 0, done.stderr
        again = records.read(cut)[1]
        for found in (fits, again):
            for record in found.values():
                record.pop("seconds", None)
        assert again == fits

    def test_what_it_writes(self, folder):
        from gc_study.reading import reading
        from gc_study.tables import tables

        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        assert results["fits"] == 16
        assert (folder / "reading.md").read_text(encoding="utf-8") == reading(results)
        assert (folder / "table.md").read_text(encoding="utf-8") == tables(results)
        for name in ("curves", "effects", "theory"):
            assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")

    def test_a_record_is_not_overwritten(self, study, folder):
        before = (folder / "fits.jsonl").read_bytes()
        done = study(folder, *ARGUMENTS)
        assert done.returncode == 2
        assert "go on with --resume" in done.stderr
        assert (folder / "fits.jsonl").read_bytes() == before


@pytest.mark.sklearn
class TestCommand:
    def status(self, *arguments):
        from gc_study.command import main

        return main([str(word) for word in arguments])

    def test_a_page_without_markers_is_refused_before_the_run(self, tmp_path, capsys):
        page = tmp_path / "page.md"
        page.write_text("nothing\n", encoding="utf-8")
        assert self.status("--output", tmp_path / "new", "--readme", page) == 2
        assert "needs the lines" in capsys.readouterr().err
        assert not (tmp_path / "new").exists()
        assert self.status("--output", tmp_path / "new", "--readme", tmp_path / "none.md") == 2
        assert "is no file" in capsys.readouterr().err

    def test_one_seed_is_no_pair(self, capsys):
        with pytest.raises(SystemExit) as stopped:
            self.status("--seeds", "1")
        assert stopped.value.code == 2
        assert "'1' is not a whole number from 2 up" in capsys.readouterr().err

    def test_quick_is_overridden_by_numbers(self):
        from gc_study.command import make_parser, read_settings

        quick = read_settings(make_parser().parse_args(["--quick", "--seeds", "5"]))
        assert (quick.seeds, quick.epochs) == (5, 4)
        horses = read_settings(make_parser().parse_args(["--data", "horses_or_humans"]))
        assert (horses.seeds, horses.batch, horses.filters) == (20, 128, 16)


@pytest.mark.sklearn
class TestPage:
    def test_results_follow_from_the_record(self):
        from gc_study.results import summarize

        recorded = json.loads((RESULTS / "results.json").read_text(encoding="utf-8"))
        again = json.loads(json.dumps(summarize(*records.read(RESULTS / "fits.jsonl"))))
        assert flat(again) == pytest.approx(flat(recorded))

    def test_files_and_readme_are_not_stale(self):
        from gc_study import pages

        results = json.loads((RESULTS / "results.json").read_text(encoding="utf-8"))
        page = HERE / "README.md"
        text = page.read_text(encoding="utf-8")
        assert pages.brought_up_to_date(page, RESULTS, results) == text
        assert (RESULTS / "table.md").read_text(encoding="utf-8") in text
        assert (RESULTS / "reading.md").read_text(encoding="utf-8") in text
        for name in pages.PLOTS:
            assert (RESULTS / f"{name}.png").is_file()
            assert f"](results/{name}.png)" in text


def flat(value, path=""):
    """Every number and word of nested lists and dictionaries, by its path."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for name, part in pairs for k, v in flat(part, f"{path}/{name}").items()}
    return {path: value}
