"""The pages of a study: its tables and its reading, as files and in a README."""

import os

from gc_study import plots
from gc_study.reading import reading
from gc_study.tables import tables

BEGIN = "<!-- written by run.py: begin -->"
END = "<!-- written by run.py: end -->"
PLOTS = {
    "curves": "Training and validation loss by epoch: plain and with GC, from each start",
    "effects": "Paired differences with 95 % confidence intervals",
    "theory": "Gradient norms, movement along e, and intensity shift",
}


class PageError(Exception):
    """The page cannot be brought up to date."""


def write(folder, results, readme=None):
    """Write table.md, reading.md and the plots; put all of it into a page with markers."""
    (folder / "table.md").write_text(tables(results), encoding="utf-8")
    (folder / "reading.md").write_text(reading(results), encoding="utf-8")
    for name in PLOTS:
        getattr(plots, name)(results, folder / f"{name}.png")
    if readme is not None:
        readme.write_text(brought_up_to_date(readme, folder, results), encoding="utf-8")


def check_markers(page):
    """Refuse a page without markers, before the fits are run."""
    if not page.is_file():
        raise PageError(f"{page} is no file: --readme takes a page that is there")
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise PageError(f"{page} needs the lines {BEGIN} and {END}, once each, in this order")


def brought_up_to_date(page, folder, results):
    """Return the page with what is between its markers written anew."""
    check_markers(page)
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    relative = os.path.relpath(folder, page.parent).replace(os.sep, "/")
    return f"{before}{BEGIN}\n\n{body(results, relative)}\n{END}{after}"


def body(results, folder):
    """Return reading, plots and tables as one text; ``folder`` is where its links lead."""
    pictures = "\n\n".join(f"![{text}]({folder}/{name}.png)" for name, text in PLOTS.items())
    return f"{reading(results)}\n{pictures}\n\n{tables(results)}"
