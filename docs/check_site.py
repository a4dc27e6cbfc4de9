"""Check that the built site is whole, and needs no network.

    python docs/check_site.py docs/_build

Every link inside leads to a file and an anchor that are there, no page loads anything from
elsewhere, and every page says that it fits a phone. Prints what is wrong; exits with 1 then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes whose address a browser loads by itself; ``rel`` of a ``link`` says whether it does.
LOADED = {"img": "src", "script": "src", "iframe": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    """Addresses and anchors of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.has_viewport = False
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one element refers to."""
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.anchors.add(found["id"])
        if tag == "meta" and found.get("name") == "viewport":
            self.has_viewport = True
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if LOADED.get(tag) in found:
            self.loaded.append(found[LOADED[tag]])


def problems(site: Path) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site} has no pages"
    for path, page in pages.items():
        name = path.relative_to(site.resolve()).as_posix()
        if not page.has_viewport:
            yield f"{name}: no viewport, so that a phone shows it small"
        for address in page.loaded:
            if urlsplit(address).scheme not in ("", "data") or address.startswith("//"):
                yield f"{name}: loads {address}"
            elif not urlsplit(address).scheme:
                yield from _missing(name, path, address, pages)
        for address in page.links:
            if not urlsplit(address).scheme:
                yield from _missing(name, path, address, pages)


def _missing(name: str, path: Path, address: str, pages: Mapping[Path, Page]) -> Iterator[str]:
    parts = urlsplit(address)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        yield f"{name}: {address} is not there"
    elif (
        parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors
    ):
        yield f"{name}: {address} has no such anchor"


if __name__ == "__main__":
    wrong = list(problems(Path(sys.argv[1])))
    print("\n".join(wrong) or "the site is whole")
    sys.exit(bool(wrong))
