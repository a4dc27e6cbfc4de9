"""Make the frozen vectors of the suite: `python conformance/make_vectors.py`.

The files come out the same, byte for byte, wherever this runs: inputs are drawn by Python's own
generator, expected values are exact, bounds are rounded up to a few digits. A vector that is
there already is never changed: give a better one a new id, in a new suite. What is not released
yet may be made anew with `--unreleased`.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

from vector_suite import suite

from gc_ref._conformance.cases.vectors import FILES, RELEASED, Vector, dump
from gc_ref._conformance.vector_files.kills import kills_of
from gc_ref._conformance.vector_files.make import CLAUSES, freeze

FOLDER = Path(__file__).parent / "vectors"


def made(version):
    """The files of a suite: name to text."""
    raws = []
    for inputs in suite(version):
        raw = freeze(inputs)
        raw["kills"] = kills_of(Vector(raw))
        raws.append(raw)
    files = {}
    for algorithm, name in FILES.items():
        own = [raw for raw in raws if raw["algorithm"] == algorithm]
        files[f"{version}/{name}.json"] = dump(own, suite=version, clause=CLAUSES[algorithm])
    return files


def changed(old, new):
    """Ids of vectors that are in an old text and are not, or not the same, in the new one."""
    kept = {raw["id"]: raw for raw in json.loads(new)["vectors"]}
    return [raw["id"] for raw in json.loads(old)["vectors"] if kept.get(raw["id"]) != raw]


def digests(folder):
    """The digest file's text: SHA-256 of each file, and for each suite one over all its files.

    The one over all is that of the lines that `sha256sum` prints of the files.
    """
    suites = {}
    for version in RELEASED:
        names = sorted(f"{version}/{path.name}" for path in (folder / version).glob("*.json"))
        files = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names}
        lines = "".join(f"{digest}  {name}\n" for name, digest in files.items())
        suites[version] = {"all": hashlib.sha256(lines.encode()).hexdigest(), "files": files}
    return json.dumps({"schema": "gc-ref-digest/1", "suites": suites}, indent=1) + "\n"


def write(folder, *, unreleased=False):
    """Write the files of all suites, or say which vectors would change."""
    for version in RELEASED:
        (folder / version).mkdir(parents=True, exist_ok=True)
        for name, text in made(version).items():
            path = folder / name
            wrong = changed(path.read_text("utf-8"), text) if path.exists() else []
            if wrong and not unreleased:
                return f"{name}: {wrong[0]} would change; a released vector never does"
            path.write_text(text, encoding="utf-8")
    (folder / "digest.json").write_text(digests(folder), encoding="utf-8")
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unreleased", action="store_true", help="vectors may change")
    problem = write(FOLDER, unreleased=parser.parse_args().unreleased)
    if problem:
        sys.exit(problem)
    for version, entry in json.loads((FOLDER / "digest.json").read_bytes())["suites"].items():
        print(f"{version}  {entry['all']}")


if __name__ == "__main__":
    main()
