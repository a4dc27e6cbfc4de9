"""The reading of a study in plain language: sentences that follow from its figures."""

from gc_study.results import METRICS
from gc_study.tables import signed, small

#: With fewer seeds a bootstrap interval is too narrow to be trusted.
ENOUGH_SEEDS = 10
#: Rounding in float32 moves 1ᵀw by less than this part of a layer's movement.
STAYS = 1e-4


def reading(results):
    """Return the whole reading."""
    optimizers = list(results["noise"])
    paragraphs = [
        "### Reading",
        setting(results),
        in_short(results),
        *(f"**{name}.** {tutorials_way(results, name)}" for name in optimizers),
        noise(results),
        overall(results),
        constraint(results),
        theorem_4_2(results),
        theorem_4_1(results),
        time(results),
    ]
    return "\n\n".join(paragraphs) + "\n"


def setting(results):
    """What was run, and on what."""
    settings, environment = results["settings"], dict(results["environment"])
    epochs = "1 epoch" if settings["epochs"] == 1 else f"{settings['epochs']} epochs"
    images, backend = environment.pop("images"), environment.pop("backend")
    versions = ", ".join(f"{name} {version}" for name, version in environment.items())
    text = (
        f"{results['fits']} fits on {images}: {settings['seeds']} seeds, {epochs} "
        f"each, batches of {settings['batch']}; Keras on {backend} ({versions}). Figures "
        "are of the last epoch. In brackets are 95 % confidence intervals of the mean paired "
        "difference."
    )
    if settings["seeds"] < ENOUGH_SEEDS:
        text += (
            f" With {settings['seeds']} seeds they are too narrow: this is a first look, and "
            "decides nothing."
        )
    return text


def in_short(results):
    """The three parts that the tutorial mixes, side by side."""
    optimizers = list(results["noise"])

    def listed(numbers):
        return ", ".join(f"{n} ({o})" for o, n in zip(optimizers, numbers, strict=True))

    def means(effect):
        return listed(signed(difference(results, o, effect, "loss")["mean"]) for o in optimizers)

    apart = [f"{results['noise'][o]['loss'][0]:.3f}" for o in optimizers]
    counts = [results["identical"][o]["example"] for o in optimizers]
    most = max(count["apart"] for count in counts)
    same = all(count["equal"] == count["pairs"] for count in counts)
    example_adds = (
        "adds nothing to that, not a bit" if same else f"moves it by {small(most)} at most"
    )
    return (
        f"**In short.** Continuing changes the training loss by {means('continuing')}. The "
        f"example's optimizer {example_adds}. GC changes it by {means('GC, fresh')} from a fresh "
        f"start, and by {means('GC, continued')} from the weights of a first fit. Two runs that "
        f"differ in the seed alone are apart by {listed(apart)} in the median."
    )


def tutorials_way(results, optimizer):
    """How much of what the tutorial's way shows comes from continuing, and how much from GC."""
    cells = [cell for cell in results["cells"] if cell["optimizer"] == optimizer]
    loss = {(cell["start"], cell["arm"]): cell["loss"]["mean"] for cell in cells}
    continuing = difference(results, optimizer, "continuing", "loss")
    gc = difference(results, optimizer, "GC, continued", "loss")
    both = difference(results, optimizer, "both", "loss")
    others = [
        f"{words} {told(difference(results, optimizer, f'GC, {start}', metric))}"
        for start, metric, words in (
            ("fresh", "loss", "from a fresh start, its training loss is"),
            ("fresh", "val_loss", "and its validation loss is"),
            ("fine-tuned", "loss", "fine-tuned, its training loss is"),
            ("fine-tuned", "val_loss", "and its validation loss is"),
        )
        if any(cell["start"] == start for cell in cells)
    ]
    return (
        f"Done the tutorial's way, the training loss goes from {loss['fresh', 'plain']:.3f} "
        f"(plain, fresh) to {loss['continued', 'example']:.3f} (the example's optimizer, "
        f"continued). {example(results['identical'][optimizer]['example'], continuing)} True GC in "
        f"its place ends at {loss['continued', 'GC']:.3f}, {told(gc)}. Of the whole change to "
        f"there, {bracketed(both)}, continuing makes {percent(continuing, both)} and GC "
        f"{percent(gc, both)}. GC without continuing: {'; '.join(others)}."
    )


def example(identical, continuing):
    """What the example's optimizer adds to continuing."""
    if identical["equal"] == identical["pairs"]:
        return (
            f"All of that comes from continuing, {bracketed(continuing)}, and none from GC: in "
            f"{identical['equal']} of {identical['pairs']} pairs the example's optimizer leaves "
            "the weights of the plain one, bit by bit."
        )
    return (
        f"Continuing alone changes it by {bracketed(continuing)}; in {identical['equal']} of "
        f"{identical['pairs']} pairs the example's optimizer leaves the weights of the plain one, "
        "and its training loss is nowhere further from the plain one's than "
        f"{small(identical['apart'])}."
    )


def noise(results):
    """How far single runs are apart, beside the effect of GC."""
    sentences = []
    for optimizer, found in results["noise"].items():
        median, most = found["loss"]
        gc = difference(results, optimizer, "GC, fresh", "loss")
        against = gc["positive"] if gc["mean"] < 0 else gc["negative"]
        sentences.append(
            f"with {optimizer} by {median:.3f} in the median, and one pair in twenty by more than "
            f"{most:.3f} (the mean effect of GC on that figure is {signed(gc['mean'])}, and "
            f"{against} of {gc['pairs']} pairs have the other sign)"
        )
    return (
        "**Seed noise.** Two plain fresh runs that differ in nothing but the seed differ in the "
        f"training loss: {'; '.join(sentences)}."
    )


def overall(results):
    """Count what the intervals of GC say, and how many would by chance."""
    entries = [e for e in results["differences"] if e["effect"].startswith("GC")]
    found = {"Better": [], "Worse": []}
    for entry in entries:
        if entry["low"] > 0 or entry["high"] < 0:
            better = (entry["mean"] < 0) == entry["metric"].endswith("loss")
            found["Better" if better else "Worse"].append(entry)
    left = len(entries) - len(found["Better"]) - len(found["Worse"])
    text = (
        f"**GC in all.** Of {len(entries)} intervals of GC against plain (optimizers × starts × "
        f"four figures), {len(found['Better'])} say that GC is better, {len(found['Worse'])} that "
        f"it is worse, and {left} leave it open. If GC did nothing, about "
        f"{0.05 * len(entries):.0f} would leave out zero by chance. The four figures of a fit are "
        "not independent."
    )
    for word, some in found.items():
        places = {}
        for entry in some:
            place = f"{entry['optimizer']} {entry['effect'].removeprefix('GC, ')}"
            places.setdefault(place, []).append(METRICS[entry["metric"]])
        if places:
            lists = "; ".join(f"{place} ({', '.join(names)})" for place, names in places.items())
            text += f" {word}: {lists}."
    return text


def constraint(results):
    """Where 1ᵀw stays, and where it drifts."""
    sentences = []
    for optimizer in results["noise"]:
        entries = [e for e in results["theory"] if e["optimizer"] == optimizer]
        largest = max(e["largest_share"] for e in entries if e["arm"] == "GC")
        first = {e["arm"]: e["share"]["conv1"] for e in entries if e["start"] == "fresh"}
        sentences.append(
            f"with {optimizer} and GC it {'stays' if largest < STAYS else 'drifts'}: at most "
            f"{small(largest)} of a layer's movement lies along e (first layer after a fresh fit: "
            f"{small(first['GC'])}; plain {small(first['plain'])})"
        )
    return (
        "**The constraint.** 1ᵀw of every filter shall stay under SGDM with GC, and need not under "
        f"optimizers that scale each element. Here, {'; '.join(sentences)}."
    )


def theorem_4_2(results):
    """The norm of the gradient before and after Φ."""
    entries = results["theory"]
    grown = sum(entry["grown"] for entry in entries)
    cases = len(entries[0]["share"]) * results["settings"]["seeds"] * len(entries)
    kept = ", ".join(f"{e['optimizer']} {e['arm']} {e['kept']['all']:.3f}" for e in fresh(results))
    return (
        f"**Theorem 4.2.** Φ made a kernel's gradient longer in {grown} of {cases} cases; the "
        f"theorem says never. What Φ leaves of the norm of all gradients together, after a fresh "
        f"fit: {kept}."
    )


def theorem_4_1(results):
    """The first layer's output under a shift of the intensity."""
    moved = ", ".join(f"{e['optimizer']} {e['arm']} {small(e['moved'])}" for e in fresh(results))
    return (
        "**Theorem 4.1** (with the corrected sign). When the same number is added to every pixel, "
        "the first layer's output shall change after a fit as it did before it. The largest "
        f"distance of a filter from that, in units of the change's root mean square over the "
        f"filters, after a fresh fit: {moved}."
    )


def time(results):
    """What GC costs."""
    ratios = ", ".join(
        f"{optimizer} {found['GC']['ratio']:.2f} (the example's optimizer: "
        f"{found['example']['ratio']:.2f})"
        for optimizer, found in results["seconds"].items()
    )
    return (
        "**Time.** Seconds per epoch with GC against plain, as the median of the ratios within "
        f"pairs: {ratios}. The example's optimizer computes what the plain one does, so how far "
        "its ratio is from 1 shows how far these timings can be trusted."
    )


def told(entry):
    """Say what an interval tells."""
    if entry["low"] <= 0 <= entry["high"]:
        return f"not told apart from plain, {bracketed(entry)}"
    way = "lower" if entry["mean"] < 0 else "higher"
    count = entry["negative"] if entry["mean"] < 0 else entry["positive"]
    return f"{way} than plain, {bracketed(entry)}, in {count} of {entry['pairs']} pairs"


def bracketed(entry):
    return f"{signed(entry['mean'])} ({signed(entry['low'])} to {signed(entry['high'])})"


def percent(part, whole):
    """The part of a mean change."""
    if not whole["mean"]:
        return "no part"
    text = f"{100 * part['mean'] / whole['mean']:.0f} %".replace("-", "−")
    return text.replace("−0 %", "0 %")


def fresh(results):
    return [entry for entry in results["theory"] if entry["start"] == "fresh"]


def difference(results, optimizer, effect, metric):
    """Look up one paired difference."""
    wanted = {"optimizer": optimizer, "effect": effect, "metric": metric}
    (entry,) = [e for e in results["differences"] if wanted.items() <= e.items()]
    return entry
