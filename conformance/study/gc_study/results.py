"""The results of a study: every figure of its table, plots and reading, from its record."""

from collections import defaultdict
from dataclasses import asdict

import numpy as np

from gc_study.settings import ARMS, OPTIMIZERS, STARTS
from gc_study.statistics import paired, seed_noise

METRICS = {
    "loss": "training loss",
    "accuracy": "training accuracy",
    "val_loss": "validation loss",
    "val_accuracy": "validation accuracy",
}


class Record:
    """The fits of a study, looked up by optimizer, start and arm; in the order of the seeds."""

    def __init__(self, fits):
        self.cells = defaultdict(list)
        for fit in sorted(fits):
            self.cells[fit.optimizer, fit.start, fit.arm].append(fits[fit])

    def optimizers(self):
        return [o for o in OPTIMIZERS if any(cell[0] == o for cell in self.cells)]

    def starts(self):
        return [s for s in STARTS if any(cell[1] == s for cell in self.cells)]

    def arms(self, start):
        return [a for a in ARMS if any(cell[1:] == (start, a) for cell in self.cells)]

    def values(self, cell, metric):
        """Return the metric of the last epoch of every seed."""
        return np.array([record[metric][-1] for record in self.cells[cell]])

    def difference(self, cell, other, metric):
        """Return the paired differences of the cell from the other."""
        return paired(self.values(cell, metric) - self.values(other, metric))


def summarize(first_line, fits):
    """Return all figures, ready for JSON."""
    record = Record(fits)
    return {
        **first_line,
        "fits": len(fits),
        "cells": [_cell(record, *cell) for cell in _cells(record)],
        "differences": [
            {"metric": metric, **kind, **asdict(record.difference(*cells, metric))}
            for kind, *cells in _comparisons(record)
            for metric in METRICS
        ],
        "noise": {
            optimizer: {
                metric: seed_noise(record.values((optimizer, "fresh", "plain"), metric))
                for metric in METRICS
            }
            for optimizer in record.optimizers()
        },
        "identical": {
            optimizer: _identical(record, optimizer) for optimizer in record.optimizers()
        },
        "seconds": {optimizer: _seconds(record, optimizer) for optimizer in record.optimizers()},
        "theory": [_theory(record, *cell) for cell in _cells(record) if cell[2] != "example"],
        "curves": [_curves(record, *cell) for cell in _cells(record) if cell[2] != "example"],
    }


def _cells(record):
    return [
        (optimizer, start, arm)
        for optimizer in record.optimizers()
        for start in record.starts()
        for arm in record.arms(start)
    ]


def _cell(record, *cell):
    return {
        **_named(cell),
        **{
            metric: {"mean": float(values.mean()), "sd": float(values.std(ddof=1))}
            for metric in METRICS
            for values in [record.values(cell, metric)]
        },
    }


def _named(cell):
    return dict(zip(("optimizer", "start", "arm"), cell, strict=True))


def _comparisons(record):
    """What is compared: GC with plain from each start, and continuing with stopping."""
    for optimizer in record.optimizers():
        plain = (optimizer, "fresh", "plain")
        yield (
            {"optimizer": optimizer, "effect": "continuing"},
            (optimizer, "continued", "plain"),
            plain,
        )
        yield {"optimizer": optimizer, "effect": "both"}, (optimizer, "continued", "GC"), plain
        for start in record.starts():
            yield (
                {"optimizer": optimizer, "effect": f"GC, {start}"},
                (optimizer, start, "GC"),
                (optimizer, start, "plain"),
            )


def _identical(record, optimizer):
    """In how many pairs the weights of an arm are those of the plain one, bit by bit.

    ``apart`` is the largest difference of the training loss in any pair.
    """
    found = {}
    for arm in ARMS[1:]:
        pairs = [
            pair
            for start in record.starts()
            if arm in record.arms(start)
            for pair in zip(
                record.cells[optimizer, start, "plain"],
                record.cells[optimizer, start, arm],
                strict=True,
            )
        ]
        found[arm] = {
            "equal": sum(a["weights"] == b["weights"] for a, b in pairs),
            "pairs": len(pairs),
            "apart": max(abs(a["loss"][-1] - b["loss"][-1]) for a, b in pairs),
        }
    return found


def _seconds(record, optimizer):
    """Median seconds of an epoch, and the ratios to plain: the median over the pairs."""

    def medians(start, arm):
        return np.array([np.median(r["seconds"]) for r in record.cells[optimizer, start, arm]])

    found = {"plain": float(np.median(medians("fresh", "plain")))}
    for arm in ARMS[1:]:
        ratios = np.concatenate(
            [
                medians(start, arm) / medians(start, "plain")
                for start in record.starts()
                if arm in record.arms(start)
            ]
        )
        low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75]).tolist()
        found[arm] = {"ratio": middle, "quartiles": [low, high]}
    return found


def _theory(record, *cell):
    """Medians over the seeds of what theory.py measured, and the largest shares and shifts."""
    fits = record.cells[cell]
    layers = [name for name in fits[0]["norms"] if name != "all"]
    median = lambda values: float(np.median(list(values)))  # noqa: E731
    return {
        **_named(cell),
        "kept": {
            name: median(after / before if before else 1.0 for before, after in pairs)
            for name in [*layers, "all"]
            for pairs in [[f["norms"][name] for f in fits]]
        },
        "norm": median(f["norms"]["all"][0] for f in fits),
        "grown": sum(f["norms"][n][1] > f["norms"][n][0] for f in fits for n in layers),
        "share": {name: median(f["drift"][name]["share"] for f in fits) for name in layers},
        "sum": {name: median(f["drift"][name]["sum"] for f in fits) for name in layers},
        "largest_share": max(f["drift"][name]["share"] for f in fits for name in layers),
        "moved": median(f["shift"]["moved"] for f in fits),
        "largest_moved": max(f["shift"]["moved"] for f in fits),
        "rms": median(f["shift"]["rms"] for f in fits),
    }


def _curves(record, *cell):
    return {
        **_named(cell),
        **{
            metric: np.mean([r[metric] for r in record.cells[cell]], axis=0).tolist()
            for metric in METRICS
        },
    }
