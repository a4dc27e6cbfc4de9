"""Does detection depend on luck? Judge every wrong port and every correct one at many seeds.

    python tests/quality/seeds.py --seeds 100 --jobs 2

prints a table: how often each catalogued deviation was caught, by two checks that are there
for it (or by one, where the catalogue says why), and how often any correct port of the zoo was
accused. Who is caught is not judged further; who is not goes through all checks. The exit
status is 0 only if every deviation was caught every time and no correct port was ever accused.
With --record FILE each seed's outcomes are kept there as it ends, and a run that was cut off
goes on where it stopped.
"""

import argparse
import collections
import json
import multiprocessing
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.shared_results import Known
from gc_ref._conformance.running.judge_port import RunOptions, judge_port, outcome_of
from gc_ref._conformance.running.selftest import judged_forms
from gc_ref._conformance.wrong_ports.make import make_port
from gc_ref.conformance import CHECKS, DEVIATIONS
from quality.zoo import ZOO


def is_caught(deviation, port, seed, known):
    """Run check after check until the deviation is caught; a port that fails to run is not."""
    judge = Judge(port, seed=seed, suite="quick", max_examples=0, known=known)
    named = 0
    for entry in CHECKS.values():
        status = outcome_of(judge, entry).status
        if status == "error":
            return False
        named += status == "failed" and entry.id in deviation.checks
        if named == 2 or (named and entry.id == list(CHECKS)[-1] and deviation.only):
            return True
    return False


def judge_seed(seed):
    """Outcomes of one seed: kind of port, name, whether it was judged rightly."""
    known = Known()
    found = []
    for deviation in DEVIATIONS.values():
        for form, operator in judged_forms(deviation, "numpy"):
            port = make_port(form, "numpy", operator=operator, name=deviation.id)
            found.append(("deviation", deviation.id, is_caught(deviation, port, seed, known)))
    for entry in ZOO:
        if not entry.needs:  # NumPy's: a framework changes how sums round, not which are drawn
            report = judge_port(entry.make(), RunOptions(seed=seed, max_examples=0), known=known)
            found.append((entry.kind, entry.name, report.verdict == "conforms"))
    return found


def table(outcomes, seeds):
    """The Markdown table of all outcomes, and whether everything was right."""
    judged, right = collections.Counter(), collections.Counter()
    for kind, name, well in outcomes:
        key = name if kind == "deviation" else f"correct {kind}s"
        judged[key] += 1
        right[key] += well
    lines = ["| deviation | verdicts | caught |", "|---|---:|---:|"]
    lines += [f"| `{id}` | {judged[id]} | {100 * right[id] / judged[id]:.4g} % |"
              for id in DEVIATIONS]  # fmt: skip
    lines += ["", "| correct ports | verdicts | accused |", "|---|---:|---:|"]
    lines += [f"| {k.removeprefix('correct ')} | {judged[k]} | {judged[k] - right[k]} |"
              for k in judged if k not in DEVIATIONS]  # fmt: skip
    lines += ["", f"{seeds} seeds, {sum(judged.values())} verdicts"]
    return "\n".join(lines), right == judged


def recorded(path):
    """Pairs of a seed and its outcomes that an earlier run has left."""
    if path and path.exists():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def main():
    """Run all seeds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    start = time.time()
    chosen = range(options.first, options.first + options.seeds)
    outcomes = {seed: found for seed, found in recorded(options.record) if seed in chosen}
    with multiprocessing.Pool(options.jobs) as pool:
        left = [seed for seed in chosen if seed not in outcomes]
        for seed, found in zip(left, pool.imap(judge_seed, left), strict=True):
            outcomes[seed] = found
            if options.record:
                with options.record.open("a", encoding="utf-8") as file:
                    print(json.dumps([seed, found]), file=file)
            wrong = [f"{name} ({kind})" for kind, name, right in found if not right]
            print(f"{len(outcomes)}/{options.seeds}, {time.time() - start:.0f} s", *wrong,
                  file=sys.stderr, flush=True)  # fmt: skip
    text, right = table([o for found in outcomes.values() for o in found], options.seeds)
    print(text)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
