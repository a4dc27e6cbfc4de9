"""Is any optimizer of any framework accused, once a right Φ is put before it, or a wrong Φ missed?

    python tests/quality/matrix.py --framework torch --seeds 5 --resume torch.jsonl

wraps every optimizer that the framework lists in each way of writing Φ, judges each as a port,
and prints a table. Right ones are held to their plain optimizer (``base``), to nothing
(``alone``), and where the paper has a formula to that (``algorithm``): none may be accused. Wrong
ones are held to the base and the formula: each must be caught.

With --resume every verdict is a line of that file as soon as it is there, and a run that was cut
off goes on where it stopped. The exit status is 0 only if something was judged, nothing was
judged wrongly, and every optimizer that cannot be driven is listed with its reason.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gc_ref._conformance.findings.outcome import verdict_of
from gc_ref._conformance.running.judge_port import RunOptions, judge_port, report_of_check
from gc_ref.conformance import CHECKS, Port, PortError
from quality.judging import KNOWN
from quality.matrix_frameworks import FRAMEWORKS, Framework
from quality.matrix_variants import VARIANTS

MODES = ("base", "alone", "algorithm")
#: What may become of a port, and whether that is as it must be.
RIGHT = {"passed": True, "caught": True, "accused": False, "missed": False}


@dataclass(frozen=True)
class Cell:
    """One verdict that is asked for."""

    framework: str
    optimizer: str
    variant: str
    mode: str
    seed: int


class TooLongError(KeyboardInterrupt):
    """A port runs for too long. The kit lets Ctrl-C through, and with it this."""


def cells(name: str, options: argparse.Namespace) -> list[Cell]:
    """List every verdict that is wanted of a framework, one optimizer after the other.

    Of an optimizer that is excused it is one: whether the excuse still holds.
    """
    framework = FRAMEWORKS[name]
    chosen = options.optimizers or list(framework.optimizers())
    excused = [o for o in chosen if o in framework.excused]
    return [Cell(name, o, "plain", "base", options.first_seed) for o in excused] + [
        Cell(name, optimizer, variant, mode, seed)
        for optimizer in chosen
        if optimizer not in excused
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        for variant in options.variants
        for mode in options.modes
        if (mode != "algorithm" or optimizer in framework.algorithms)
        and (mode != "alone" or VARIANTS[variant].correct)
        and not (
            optimizer in framework.refusing_some
            and (mode == "alone" or VARIANTS[variant].long_vectors)
        )
    ]


@functools.lru_cache(maxsize=2)
def _base(framework: str, optimizer: str, float64: bool) -> Port:
    """Plain optimizer as a port whose runs are kept: all variants are held to the same ones."""
    made = FRAMEWORKS[framework]
    settings = made.settings.get(optimizer, {})
    port = made.port(made.optimizers()[optimizer], name=optimizer, settings=settings)
    return replace(port, run=functools.lru_cache(maxsize=None)(port.run))


def make_port(cell: Cell) -> Port:
    """Make the port of a cell: an optimizer wrapped in a way of writing Φ."""
    framework, variant = FRAMEWORKS[cell.framework], VARIANTS[cell.variant]
    framework.float64(variant.float64)
    base = _base(cell.framework, cell.optimizer, variant.float64) if cell.mode == "base" else None
    wrapped = framework.wrap(framework.optimizers()[cell.optimizer], variant)
    return framework.port(
        wrapped,
        name=f"{cell.optimizer} {cell.variant}",
        settings=framework.settings.get(cell.optimizer, {}),
        base=base,
        algorithm=framework.algorithms[cell.optimizer] if cell.mode == "algorithm" else None,
    )


def judged(cell: Cell, examples: int | None) -> dict[str, Any]:
    """Judge one port, and return what became of it.

    A right port goes through everything, its report too; a wrong one until the first check that
    fails.
    """
    options = RunOptions(seed=cell.seed, max_examples=examples)
    port = make_port(cell)
    if VARIANTS[cell.variant].correct:
        report = judge_port(port, options, known=KNOWN)
        checks, verdict = report.checks, report.verdict
        more: dict[str, Any] = {
            "ran": report.checks_run,
            "conventions": {k: v["value"] for k, v in report.conventions.items()},
        }
    else:
        judge, found = options.judge(port, known=KNOWN), []
        for entry in CHECKS.values():
            found.append(report_of_check(judge, entry, found, ""))
            if verdict_of([found[-1].status]) != "conforms":
                break
        checks, verdict, more = tuple(found), verdict_of(c.status for c in found), {}
    bad = ("failed", "indeterminate", "error")
    failed = {c.id: f"{c.status}: {c.message}" for c in checks if c.status in bad}
    return {"outcome": outcome(cell, verdict), "failed": failed, **more}


def outcome(cell: Cell, verdict: str) -> str:
    """Say what a verdict means for this cell."""
    if verdict == "error":
        return "not driven"
    if VARIANTS[cell.variant].correct:
        return "passed" if verdict == "conforms" else "accused"
    return "missed" if verdict == "conforms" else "caught"


def record(cell: Cell, examples: int | None, limit: int) -> dict[str, Any]:
    """Judge one port within so many seconds; whatever happens is an entry."""
    started = time.process_time()
    try:
        with _at_most(limit):
            found = judged(cell, examples)
    except PortError as error:
        found = {"outcome": "not driven", "failed": {"": str(error)}}
    except TooLongError:
        found = {"outcome": "too long", "failed": {"": f"more than {limit} s"}}
    except Exception as error:  # ours: an internal error is never a verdict
        found = {"outcome": "crashed", "failed": {"": f"{type(error).__name__}: {error}"}}
    seconds = round(time.process_time() - started, 2)
    return {**asdict(cell), **found, "seconds": seconds, "commit": _commit()}


class _at_most:  # noqa: N801  (a context manager)
    """Raise TooLongError when the time is up."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        def ring(*_: object) -> None:
            raise TooLongError

        signal.signal(signal.SIGALRM, ring)
        signal.alarm(self.seconds)

    def __exit__(self, *_: object) -> None:
        signal.alarm(0)


@functools.cache
def _commit() -> str:
    words = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(words, cwd=Path(__file__).parent, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


# ---- the run


def records(wanted: Sequence[Cell], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Judge all cells; with several jobs each process takes one optimizer at a time."""
    judge = functools.partial(record, examples=options.max_examples, limit=options.limit)
    if options.jobs == 1:
        yield from map(judge, wanted)
        return
    by_optimizer = collections.defaultdict(list)
    for cell in wanted:
        by_optimizer[cell.optimizer].append(cell)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        run = functools.partial(_all, judge)
        for found in pool.imap_unordered(run, by_optimizer.values()):
            yield from found


def _all(judge: Callable[[Cell], dict[str, Any]], wanted: list[Cell]) -> list[dict[str, Any]]:
    FRAMEWORKS[wanted[0].framework].prepare()
    return [judge(cell) for cell in wanted]


def recorded(path: Path | None) -> dict[Cell, dict[str, Any]]:
    """Read what an earlier run has left."""
    found = {}
    if path and path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            found[Cell(**{key: entry[key] for key in Cell.__dataclass_fields__})] = entry
    return found


def run(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Judge what is not judged yet, and return every entry that was asked for."""
    from tqdm import tqdm

    wanted, done = cells(name, options), recorded(options.resume)
    left = [cell for cell in wanted if cell not in done]
    entries = [done[cell] for cell in wanted if cell in done]
    bar = tqdm(records(left, options), total=len(left), desc=name, disable=None)
    for entry in bar:
        entries.append(entry)
        if options.resume:
            with options.resume.open("a", encoding="utf-8") as file:
                print(json.dumps(entry, ensure_ascii=False), file=file)
        wrong = not RIGHT.get(entry["outcome"], False)
        if wrong and entry["optimizer"] not in FRAMEWORKS[name].excused:
            first = next(iter(entry["failed"].items()), ("", ""))
            words = (entry[key] for key in ("optimizer", "variant", "mode", "seed", "outcome"))
            bar.write(f"{' '.join(map(str, words))}: {first[0]} {first[1][:150]}", file=sys.stderr)
    return entries


# ---- the result


def left_out(framework: Framework, entries: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the optimizers that are excused or could never be driven, and the reason of each."""
    by_optimizer: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        by_optimizer.setdefault(entry["optimizer"], []).append(entry)
    return {
        optimizer: framework.excused.get(optimizer) or next(iter(found[0]["failed"].values()), "")
        for optimizer, found in by_optimizer.items()
        if optimizer in framework.excused or all(e["outcome"] == "not driven" for e in found)
    }


def table(framework: Framework, entries: Sequence[dict[str, Any]]) -> str:
    """Return the Markdown table: optimizers by variants, what was judged wrongly in each."""
    without = left_out(framework, entries)
    variants = [v for v in VARIANTS if any(e["variant"] == v for e in entries)]
    lines = [f"| optimizer | {' | '.join(variants)} |", f"|---|{'---|' * len(variants)}"]
    for optimizer in dict.fromkeys(e["optimizer"] for e in entries):
        if optimizer in without:
            continue
        mine = [e for e in entries if e["optimizer"] == optimizer]
        shown = [_shown([e for e in mine if e["variant"] == v]) for v in variants]
        lines.append(f"| {optimizer} | {' | '.join(shown)} |")
    if without:
        lines += ["", "| not judged | why |", "|---|---|"]
        lines += [f"| {name} | {_escaped(why)} |" for name, why in without.items()]
    return "\n".join(lines)


def _shown(entries: Sequence[dict[str, Any]]) -> str:
    right = sum(RIGHT.get(e["outcome"], False) for e in entries)
    wrong = collections.Counter(
        f"{e['outcome']} ({e['mode']})" for e in entries if not RIGHT.get(e["outcome"], False)
    )
    if not entries:
        return ""
    return f"{right}/{len(entries)}" + "".join(f", {n} {what}" for what, n in wrong.items())


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def totals(entries: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Count the outcomes."""
    return dict(sorted(collections.Counter(e["outcome"] for e in entries).items()))


def complaints(framework: Framework, entries: Sequence[dict[str, Any]]) -> list[str]:
    """Say what is not as it must be."""
    without = left_out(framework, entries)
    judged = [e for e in entries if e["optimizer"] not in without]
    said = [
        f"{e['optimizer']} {e['variant']} ({e['mode']}, seed {e['seed']}): {e['outcome']}"
        for e in judged
        if not RIGHT.get(e["outcome"], False)
    ]
    said += [
        f"{name}: cannot be driven, and no reason is listed"
        for name in without
        if name not in framework.excused
    ]
    said += [
        f"{e['optimizer']}: passes, though a reason is listed why it cannot be judged"
        for e in entries
        if e["optimizer"] in framework.excused and e["outcome"] == "passed"
    ]
    if not any(e["outcome"] in RIGHT for e in judged):
        said.append("nothing was judged")
    return said


def parser() -> argparse.ArgumentParser:
    """Describe the command."""
    described = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    described.add_argument("--framework", required=True, choices=FRAMEWORKS)
    described.add_argument("--optimizers", type=_names, help="all by default")
    described.add_argument("--variants", type=_names, default=list(VARIANTS))
    described.add_argument("--modes", type=_names, default=list(MODES))
    described.add_argument("--seeds", type=int, default=5)
    described.add_argument("--first-seed", type=int, default=0)
    described.add_argument("--max-examples", type=int, help="fuzzed examples; as the kit's default")
    described.add_argument("--limit", type=int, default=600, help="seconds that one port may take")
    described.add_argument("--jobs", type=int, default=1)
    described.add_argument("--resume", type=Path, metavar="FILE.jsonl")
    return described


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def main(words: Sequence[str] | None = None) -> int:
    """Judge a framework, print the table."""
    options = parser().parse_args(words)
    for given, known in ((options.variants, VARIANTS), (options.modes, MODES)):
        if unknown := set(given) - set(known):
            parser().error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    framework = FRAMEWORKS[options.framework]
    framework.prepare()
    if unknown := set(options.optimizers or ()) - set(framework.optimizers()):
        parser().error(f"{options.framework} has no {', '.join(sorted(unknown))}")
    entries = run(options.framework, options)
    print(table(framework, entries))
    print("\n" + ", ".join(f"{n} {what}" for what, n in totals(entries).items()))
    said = complaints(framework, entries)
    print(*said, sep="\n", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
