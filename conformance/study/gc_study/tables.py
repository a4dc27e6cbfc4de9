"""The tables of a study, as Markdown."""

from gc_study.results import METRICS

EFFECTS = {
    "continuing": "continuing: plain, continued − fresh",
    "GC, fresh": "GC: GC − plain, both fresh",
    "GC, continued": "GC: GC − plain, both continued",
    "GC, fine-tuned": "GC: GC − plain, both fine-tuned",
    "both": "both: GC continued − plain fresh",
}


def tables(results):
    """Return all tables of a study."""
    return "\n\n".join(
        [
            "### Figures",
            figures(results),
            "### Paired differences",
            differences(results),
            "### Theory",
            theory(results),
            "### Seconds",
            seconds(results),
        ]
    ) + "\n"  # fmt: skip


def figures(results):
    """Every arm's figures after the last epoch."""
    cells = [c for c in results["cells"] if c["arm"] != "example" or not folded(results, c)]
    rows = [
        [
            cell["optimizer"],
            cell["start"],
            arm_name(results, cell),
            *(f"{cell[m]['mean']:.3f} ± {cell[m]['sd']:.3f}" for m in METRICS),
        ]
        for cell in cells
    ]
    note = (
        f"Mean ± standard deviation over {results['settings']['seeds']} seeds, last epoch. "
        "Training figures are Keras's: means over the epoch, with dropout and augmentation."
    )
    return f"{note}\n\n{table(['optimizer', 'start', 'arm', *METRICS.values()], rows)}"


def folded(results, cell):
    """Whether the arm of the example has the very weights of the plain one, in every pair."""
    identical = results["identical"][cell["optimizer"]]["example"]
    return identical["equal"] == identical["pairs"]


def arm_name(results, cell):
    """Name an arm; that of the example shares the row of the plain one if it is the same."""
    if cell["arm"] == "plain" and cell["start"] != "fine-tuned" and folded(results, cell):
        return "plain, and the example's: the same bits"
    return cell["arm"]


def differences(results):
    """The effects of GC and of continuing."""
    found = {}
    for entry in results["differences"]:
        found.setdefault((entry["optimizer"], entry["effect"]), {})[entry["metric"]] = entry
    rows = [
        [optimizer, words, *(interval(found[optimizer, effect][m]) for m in METRICS)]
        for optimizer in dict.fromkeys(key[0] for key in found)
        for effect, words in EFFECTS.items()
        if (optimizer, effect) in found
    ]
    note = (
        "Mean of the paired differences, and its 95 % confidence interval (BCa bootstrap). "
        "**Bold**: the interval leaves out zero."
    )
    return f"{note}\n\n{table(['optimizer', 'effect', *METRICS.values()], rows)}"


def interval(entry):
    """A mean with its interval."""
    text = f"{signed(entry['mean'])} ({signed(entry['low'])} to {signed(entry['high'])})"
    return f"**{text}**" if entry["low"] > 0 or entry["high"] < 0 else text


def signed(number, digits=3):
    """A number with its sign, and zero with none."""
    text = f"{number:+.{digits}f}".replace("-", "−")
    return text.lstrip("+−") if not text.strip("+−0.") else text


def theory(results):
    """What the theorems speak of, on the trained networks."""
    rows = [
        [
            entry["optimizer"],
            entry["start"],
            entry["arm"],
            *(f"{entry['kept'][name]:.3f}" for name in ("conv1", "dense2", "all")),
            *(small(entry["share"][name]) for name in ("conv1", "dense1", "dense2")),
            small(entry["largest_share"]),
            small(entry["sum"]["conv1"]),
            small(entry["moved"]),
        ]
        for entry in results["theory"]
    ]
    note = (
        "Medians over the seeds. ‖Φ(g)‖/‖g‖ at the weights after the fit, on training images "
        "without dropout (Theorem 4.2). Movement along e: the part of ‖w − w⁰‖ that lies along e, "
        "where w⁰ is what the fit started from; 0 means that 1ᵀw of every filter stayed "
        "(constraint). Intensity: when the same number is added to every pixel, the largest "
        "distance of a filter's change in output from that at w⁰, in units of the latter's root "
        "mean square over the filters (Theorem 4.1, with the corrected sign; first layer)."
    )
    head = [
        "optimizer", "start", "arm", "‖Φ(g)‖/‖g‖ conv1", "dense2", "all kernels",
        "along e: conv1", "dense1", "dense2", "largest of all layers and seeds",
        "largest change of 1ᵀw, conv1", "intensity",
    ]  # fmt: skip
    return f"{note}\n\n{table(head, rows)}"


def small(number):
    """A number that may be a rounding error."""
    return f"{number:.3f}" if number >= 0.001 else f"{number:.0e}".replace("-", "−")


def seconds(results):
    """Seconds per epoch, and their ratios within pairs."""
    rows = []
    for optimizer, found in results["seconds"].items():
        ratios = [
            "{:.2f} ({:.2f} to {:.2f})".format(found[arm]["ratio"], *found[arm]["quartiles"])
            for arm in ("example", "GC")
        ]
        rows.append([optimizer, f"{found['plain']:.3f}", *ratios])
    note = (
        "Median seconds of an epoch with its validation, compilation left out; then the median "
        "over the pairs of the ratio to plain (and its quartiles)."
    )
    return f"{note}\n\n{table(['optimizer', 'plain', 'example / plain', 'GC / plain'], rows)}"


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
