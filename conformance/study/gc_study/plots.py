"""The plots of a study."""

import matplotlib as mpl
from matplotlib.figure import Figure

from gc_study.results import METRICS
from gc_study.tables import EFFECTS

COLORS = {"plain": "#555555", "GC": "#c0392b"}
DPI = 80


def curves(results, path):
    """Loss by epoch: a row for training and one for validation, a column for each optimizer."""
    optimizers, starts = _order(results, "optimizer"), _order(results, "start")
    epochs = results["settings"]["epochs"]
    figure, axes = _figure(2, len(optimizers), width=4, height=2.6, sharey="row")
    for entry in results["curves"]:
        for row, metric in enumerate(("loss", "val_loss")):
            begin = starts.index(entry["start"]) * (epochs + 1)
            axes[row][optimizers.index(entry["optimizer"])].plot(
                range(begin + 1, begin + epochs + 1),
                entry[metric],
                color=COLORS[entry["arm"]],
                label=entry["arm"] if entry["start"] == "fresh" else None,
                linewidth=1.5,
                marker="." if epochs == 1 else None,
            )
    for column, optimizer in enumerate(optimizers):
        axes[0][column].set_title(optimizer)
        for row in (0, 1):
            middles = [i * (epochs + 1) + (epochs + 1) / 2 for i in range(len(starts))]
            axes[row][column].set_xticks(middles, starts)
            for i in range(1, len(starts)):
                axes[row][column].axvline(i * (epochs + 1), color="#cccccc", linewidth=0.8)
    axes[0][0].set_ylabel(METRICS["loss"])
    axes[1][0].set_ylabel(METRICS["val_loss"])
    axes[0][0].legend(frameon=False)
    _save(figure, path)


def effects(results, path):
    """Every paired difference with its interval: a panel for each loss."""
    optimizers = _order(results, "optimizer")
    metrics = ("loss", "val_loss")
    figure, axes = _figure(1, 2, width=6, height=0.28 * 5 * len(optimizers) + 1, sharey="row")
    rows = [
        (optimizer, effect)
        for optimizer in optimizers
        for effect in EFFECTS
        if any((d["optimizer"], d["effect"]) == (optimizer, effect) for d in results["differences"])
    ]
    for panel, metric in zip(axes[0], metrics, strict=True):
        for entry in results["differences"]:
            if entry["metric"] == metric:
                y = rows.index((entry["optimizer"], entry["effect"]))
                color = COLORS["GC" if entry["effect"].startswith("GC") else "plain"]
                panel.plot([entry["low"], entry["high"]], [y, y], color=color)
                panel.plot(entry["mean"], y, "o", color=color, markersize=4)
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set_title(f"{METRICS[metric]}: difference")
        panel.set_yticks(range(len(rows)), [f"{o}: {EFFECTS[e].split(': ')[1]}" for o, e in rows])
    axes[0][0].invert_yaxis()
    _save(figure, path)


def theory(results, path):
    """Norms, movement along e and intensity shift after the fresh fits."""
    entries = [entry for entry in results["theory"] if entry["start"] == "fresh"]
    optimizers = _order(results, "optimizer")
    figure, axes = _figure(1, 3, width=4, height=2.8)
    panels = (
        ("‖Φ(g)‖ / ‖g‖, all kernels", lambda e: e["kept"]["all"], "linear"),
        ("movement along e, first layer", lambda e: e["share"]["conv1"], "log"),
        ("intensity: distance from γ1ᵀw⁰", lambda e: e["moved"], "log"),
    )
    for panel, (title, read, scale) in zip(axes[0], panels, strict=True):
        for entry in entries:
            x = optimizers.index(entry["optimizer"]) + (0.2 if entry["arm"] == "GC" else -0.2)
            panel.bar(x, read(entry), width=0.38, color=COLORS[entry["arm"]])
        panel.set_yscale(scale)
        panel.set_title(title, fontsize=10)
        panel.set_xticks(range(len(optimizers)), optimizers)
    handles = [mpl.patches.Patch(color=color, label=arm) for arm, color in COLORS.items()]
    figure.legend(handles=handles, frameon=False, loc="outside right upper")
    _save(figure, path)


def _figure(rows, columns, *, width, height, **options):
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def _order(results, field):
    return list(dict.fromkeys(cell[field] for cell in results["cells"]))


def _save(figure, path):
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
