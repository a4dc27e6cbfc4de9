"""Make the matrix of the field from the records: `python conformance/make_matrix.py`.

Writes the two marked parts of `README.md` and the whole of `matrix.html`, both in this folder.
"""

from __future__ import annotations

import re

from field.choice import choice
from field.matrix import matrix
from field.page import page
from field.records import HERE, read_all

README, PAGE = HERE / "README.md", HERE / "matrix.html"


def made() -> dict[str, str]:
    """Name of each file to its text."""
    files = read_all()
    readme = README.read_text(encoding="utf-8")
    for name, part in {"choice": choice(files), "matrix": matrix(files)}.items():
        marked = re.compile(rf"(?<=<!-- made: {name} -->\n).*?(?=<!-- end: {name} -->)", re.DOTALL)
        readme, times = marked.subn(lambda _, part=part: f"\n{part}\n", readme)
        assert times == 1, f"README.md has no part marked {name}"
    return {README.name: readme, PAGE.name: page(files)}


def main() -> None:
    for name, text in made().items():
        (HERE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
