"""Mutation testing of our own code: `python tests/mutation/run.py [GROUP ...]`.

Each group of modules is mutated by mutmut in a copy of the repository under build/mutation/, and
judged by its own fast tests. Every mutant that survives has to be listed in equivalent.toml, with
the reason why no test can tell it from the original; the exit status is 1 if one is not.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "mutation"

#: group -> its modules in gc_ref/, and the test files in tests/unit/ that judge them (both: globs)
GROUPS = {
    "arrays": (
        ["_arrays", "_centralize", "_sgdm", "_adam"],
        ["test_centralize", "test_accuracy", "test_namespaces", "test_sgdm", "test_adam"],
    ),
    "exact": (["_exact/*"], ["exact/test_exact*"]),
    "bounds": (["_bounds/*"], ["bounds/test_bounds*"]),
    "laws": (["_laws/*", "_slices"], ["laws/test_laws*", "test_slices"]),
}

# Tests that take long and find no mutant that others miss, and one that reads the source code.
SKIPPED = (
    "NoCorrectWay or NoCorrectStyle or spike or search or twelve or half_precision"
    " or dask or witness_is_independent"
)

# The text of messages is not mutated: its wording promises nothing. The conditions are.
CONFIGURATION = """\
[mutmut]
source_paths=gc_ref
only_mutate={modules}
do_not_mutate_patterns=raise \\w+
also_copy=conftest.py
pytest_add_cli_args=-p
    no:cacheprovider
pytest_add_cli_args_test_selection=
    -k
    not ({skipped}){tests}
timeout_multiplier=5
timeout_constant=5
use_git_change_detection=false
"""

# What mutmut's exit codes mean: pytest's own, and its own for the rest.
STATUS = {0: "survived", 1: "killed", 3: "killed", 5: "untested", 33: "untested"}


def prepare(group):
    """Copy of the repository with a configuration for this group alone."""
    modules, tests = GROUPS[group]
    folder = BUILD / group
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("gc_ref", "tests"):
        ignore = shutil.ignore_patterns("__pycache__", "mutation")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder)
    paths = [path for test in tests for path in sorted(folder.glob(f"tests/unit/{test}.py"))]
    configuration = CONFIGURATION.format(
        modules="".join(f"\n    gc_ref/{module}.py" for module in modules),
        skipped=SKIPPED,
        tests="".join(f"\n    {path.relative_to(folder)}" for path in paths),
    )
    (folder / "setup.cfg").write_text(configuration, encoding="utf-8")
    return folder


def mutmut(folder, *arguments, **options):
    # One thread: fork and the thread pools of linear algebra do not mix.
    settings = {"HYPOTHESIS_PROFILE": "mutation", "OPENBLAS_NUM_THREADS": "1"}
    command = [Path(sys.executable).with_name("mutmut"), *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | settings, check=True, **options)


def results(folder):
    """Status of each mutant, by module."""
    for path in sorted(folder.glob("mutants/gc_ref/**/*.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        if not codes:  # an __init__.py that holds a docstring
            continue
        statuses = {name: STATUS.get(code, "timeout or crash") for name, code in codes.items()}
        module = path.relative_to(folder / "mutants" / "gc_ref")
        yield ".".join(module.parts).removesuffix(".py.meta"), statuses


def change(folder, name):
    """What a mutant changes, as one line: `old => new`."""
    shown = mutmut(folder, "show", name, capture_output=True, text=True).stdout.splitlines()
    old = [line[1:].strip() for line in shown if re.match(r"-(?!--)", line)]
    new = [line[1:].strip() for line in shown if re.match(r"\+(?!\+\+)", line)]
    return f"{' '.join(old)} => {' '.join(new)}"


def function_of(name):
    """`gc_ref._exact.arrays.x__flatten__mutmut_3` is a mutant of `_exact.arrays._flatten`.

    So is `gc_ref._laws.residuals.xǁLawTestǁread__mutmut_3` of `_laws.residuals.LawTest.read`.
    """
    module, _, mangled = name.removeprefix("gc_ref.").rpartition(".")
    mangled = mangled.rpartition("__mutmut_")[0]
    return f"{module}.{mangled.removeprefix('xǁ').removeprefix('x_').replace('ǁ', '.')}"


def only_strict(line):
    """Whether only the `strict=True` of a zip went: it states that lengths are equal, always."""
    old, new = (re.sub(r",\s*(strict=\w+)?\s*\)", ")", part) for part in line.split(" => "))
    return "strict=True" in line and old == new


def known():
    """Function and change of every mutant that is listed as equivalent."""
    listed = tomllib.loads((HERE / "equivalent.toml").read_text(encoding="utf-8"))
    return {
        (entry["function"], line) for entry in listed["equivalent"] for line in entry["changes"]
    }


def main(groups):
    if unknown := set(groups) - set(GROUPS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; groups: {', '.join(GROUPS)}")
    listed, table, alive = known(), [], []
    for group in groups or GROUPS:
        folder = prepare(group)
        mutmut(folder, "run")
        for module, statuses in results(folder):
            counts = Counter(statuses.values())
            for name, status in statuses.items():
                if status in ("survived", "untested"):
                    where = function_of(name), change(folder, name)
                    if where in listed or only_strict(where[1]):
                        counts["equivalent"] += 1
                    else:
                        alive.append((name, *where))
            table.append((module, len(statuses), counts))
    print(f"{'module':20} mutants  killed  timeout or crash  equivalent")
    for module, total, counts in table:
        row = counts["killed"], counts["timeout or crash"], counts["equivalent"]
        print(f"{module:20} {total:7} {row[0]:7} {row[1]:17} {row[2]:11}")
    for name, function, line in alive:
        print(f"survived and not listed: {name}\n    {function}: {line}")
    sys.exit(1 if alive else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
