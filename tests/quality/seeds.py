"""Does detection depend on luck? Judge every wrong port and every correct one at many seeds.

    python tests/quality/seeds.py --seeds 100 --jobs 2

prints a table: how often each catalogued deviation was caught (by the checks that are there
for it) and named, and how often any correct port of the zoo was accused. The exit status is
0 only if every deviation was caught every time, and no correct port was ever accused.
"""

import argparse
import collections
import multiprocessing
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gc_ref.conformance._deviations import DEVIATIONS
from gc_ref.conformance._run import judge_port
from gc_ref.conformance._runs import Known
from gc_ref.conformance._selftest import rows
from quality.zoo import ZOO


def judge_seed(seed):
    """Outcomes of one seed: (what, who, whether right, whether named) of each port."""
    found = [
        ("deviation", row.deviation.id, row.killed, row.identified)
        for row in rows(["numpy"], seed=seed, controls=False)
    ]
    known = Known()
    for entry in ZOO:
        if not entry.needs:  # NumPy's: a framework changes how sums round, not which are drawn
            report = judge_port(entry.make(), seed=seed, max_examples=0, known=known)
            found.append((entry.kind, entry.name, report.verdict == "conforms", True))
    return found


def table(outcomes, seeds):
    """The Markdown table of all outcomes, and whether everything was right."""
    caught, named, judged = (collections.Counter() for _ in range(3))
    for what, who, right, name in outcomes:
        key = who if what == "deviation" else f"correct {what}s"
        judged[key] += 1
        caught[key] += right
        named[key] += name and right
    lines = ["| deviation | judged | caught | identified |", "|---|---:|---:|---:|"]
    for id in DEVIATIONS:
        share = (f"{100 * n[id] / judged[id]:.4g} %" for n in (caught, named))
        lines.append(f"| `{id}` | {judged[id]} | {' | '.join(share)} |")
    lines += ["", "| correct ports | judged | accused |", "|---|---:|---:|"]
    good = [k for k in judged if k not in DEVIATIONS]
    lines += [f"| {k.removeprefix('correct ')} | {judged[k]} | {judged[k] - caught[k]} |"
              for k in good]  # fmt: skip
    lines += ["", f"{seeds} seeds, {sum(judged.values())} verdicts"]
    return "\n".join(lines), all(caught[k] == judged[k] for k in judged)


def main():
    """Run all seeds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    start = time.time()
    outcomes = []
    chosen = range(options.first, options.first + options.seeds)
    with multiprocessing.Pool(options.jobs) as pool:
        for done, found in enumerate(pool.imap(judge_seed, chosen), 1):
            outcomes += found
            wrong = [f"{who} ({what})" for what, who, right, _ in found if not right]
            print(f"{done}/{options.seeds}, {time.time() - start:.0f} s", *wrong,
                  file=sys.stderr, flush=True)  # fmt: skip
    text, right = table(outcomes, options.seeds)
    print(text)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
