"""The command: run.py."""

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from gc_study import pages, records
from gc_study.data import LOADERS
from gc_study.results import summarize
from gc_study.settings import OPTIMIZERS, Settings, fits_of

QUICK = {"seeds": 3, "epochs": 4, "pretraining": 1}
FITS = "fits.jsonl"


def main(argv=None):
    """Run the study that the arguments ask for; return the exit status."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    try:
        run(read_settings(arguments), arguments)
    except (records.RecordError, pages.PageError) as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    return 0


def make_parser():
    """Make the parser of the arguments."""
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="The Keras tutorial's experiment on Gradient Centralization, with pairs and "
        "repetitions: {plain, the tutorial's optimizer, true GC} x {fresh, continued, fine-tuned} "
        "x {RMSprop, SGDM, Adam}.",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a first look in about two minutes: {seeds} seeds, {epochs} epochs".format(**QUICK),
    )
    parser.add_argument(
        "--seeds", type=least(2), metavar="N", help="pairs of fits (default 20; at least 2)"
    )
    parser.add_argument("--epochs", type=least(1), metavar="N", help="per fit (default 10)")
    parser.add_argument(
        "--optimizers",
        nargs="+",
        choices=OPTIMIZERS,
        default=OPTIMIZERS,
        metavar="NAME",
        help="of " + ", ".join(OPTIMIZERS) + " (default: all)",
    )
    parser.add_argument(
        "--data",
        choices=sorted(LOADERS),
        default="digits",
        help="default: digits, which scikit-learn ships; horses_or_humans is downloaded by "
        "tensorflow_datasets, and takes the tutorial's batches of 128 and 16 filters",
    )
    parser.add_argument(
        "--data-dir", metavar="DIR", help="where tensorflow_datasets keeps its data"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("study-results"),
        metavar="DIR",
        help="folder for the record, the results and the plots (default: study-results)",
    )
    parser.add_argument(
        "--readme",
        type=Path,
        metavar="FILE",
        help="also put table and reading between the markers of this Markdown file",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on where a run into --output has stopped"
    )
    return parser


def least(number):
    """Return a type of argument: a whole number from ``number`` up."""

    def read(text):
        if not text.isdecimal() or int(text) < number:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {number} up")
        return int(text)

    return read


def read_settings(arguments):
    """Return the settings that the arguments ask for."""
    settings = Settings(data=arguments.data, optimizers=tuple(arguments.optimizers))
    if arguments.data == "horses_or_humans":
        settings = replace(settings, batch=128, filters=16)
    chosen = dict(QUICK) if arguments.quick else {}
    chosen |= {n: v for n in ("seeds", "epochs") if (v := getattr(arguments, n)) is not None}
    return replace(settings, **chosen)


def run(settings, arguments):
    """Run what is not on record yet, then write results, table, plots and reading."""
    path = arguments.output / FITS
    if path.exists() and not arguments.resume:
        raise records.RecordError(
            f"{path} is there already: go on with --resume, or choose another --output"
        )
    if arguments.readme is not None:
        pages.check_markers(arguments.readme)
    if settings.data == "digits":  # One thread is the fastest for so small a network.
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    from gc_study.experiment import Experiment, environment  # imports Keras

    loader = LOADERS[settings.data]
    images = loader() if settings.data == "digits" else loader(arguments.data_dir)
    groups = fits_of(settings, fine_tuning=images.other is not None)
    first_line = records.heading(settings, {"images": images.title, **environment(settings.data)})
    if path.exists():
        fits = records.resume(path, first_line, groups)
    else:
        records.start(path, first_line)
        fits = {}
    open_groups = [group for group in groups if group[0] not in fits]
    with tqdm(total=sum(map(len, groups)), initial=len(fits), unit="fit", disable=None) as bar:

        def done(fit, figures):
            fits[fit] = records.append(path, fit, figures)
            bar.update()

        experiment = Experiment(images, settings) if open_groups else None
        for group in open_groups:
            bar.set_description(f"seed {group[0].seed}, {group[0].optimizer}")
            experiment.run_group(group, done)
    write(arguments.output, first_line, fits, arguments.readme)


def write(folder, first_line, fits, readme=None):
    """Write results.json, table.md, reading.md and the plots, and bring the page up to date."""
    results = summarize(first_line, fits)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    pages.write(folder, results, readme)
