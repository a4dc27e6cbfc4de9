"""Numbers and texts as a reader is shown them."""

from __future__ import annotations

import difflib
import math
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

#: Columns of a text.
WIDTH = 96
#: Characters that reorder the text around them, and two that stand for no character.
CONFUSING = frozenset(
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff"
)
#: What a terminal obeys instead of showing it; lines and tabs stay.
OBEYED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{''.join(sorted(CONFUSING))}]")


def clean(text: object) -> str:
    r"""Replace the characters that no page should hold, and write a text on one line.

    Examples
    --------
    >>> clean("two\nlines"), clean("\x1b[31m")
    ('two lines', '\ufffd[31m')
    """
    return "".join(" " if c in "\n\t\r" else "\ufffd" if _unfit(c) else c for c in str(text))


def shown(text: str) -> str:
    r"""Escape, as JSON does, the characters that a terminal obeys instead of showing them.

    Examples
    --------
    >>> print(shown("two\nlines, \x1b[31m"))
    two
    lines, \u001b[31m
    """
    return OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


#: Longest message of somebody's exception that is repeated.
LONGEST = 300


def one_line(error: BaseException) -> str:
    r"""Type and message of somebody's exception on one line, cut to a readable length.

    Examples
    --------
    >>> one_line(ValueError("two\nlines"))
    'ValueError: two lines'
    """
    try:
        text = " ".join(str(error).split())
    except KeyboardInterrupt:
        raise
    except BaseException:  # somebody's own __str__ may do anything, sys.exit(0) too
        text = ""
    if len(text) > LONGEST:
        text = text[: LONGEST - 3] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _unfit(char: str) -> bool:
    return char in CONFUSING or unicodedata.category(char) in ("Cc", "Cs")


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "check"), counted(2, "check"), counted(2, "check fails", "checks fail")
    ('1 check', '2 checks', '2 checks fail')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def short(value: float, digits: int = 6) -> str:
    """Return a number with this many significant digits at most.

    Examples
    --------
    >>> short(1 / 3), short(1 / 3, 2), short(-0.0), short(float("inf"))
    ('0.333333', '0.33', '0', 'inf')
    """
    return f"{value + 0.0:.{digits}g}"  # + 0.0 makes a 0 of -0


def listed(values: Sequence[float], most: int = 12) -> str:
    """Return numbers with commas between them, the first ``most`` of them.

    Examples
    --------
    >>> listed([1.0, 2.5]), listed([1.0, 2.0, 3.0], most=2)
    ('1, 2.5', '1, 2, ...')
    """
    return ", ".join(map(short, values[:most])) + (", ..." if len(values) > most else "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question for the known word that is nearest to a wrong one; nothing if none is.

    Examples
    --------
    >>> did_you_mean("oprator", ["operator", "torch"]), did_you_mean("x", ["operator", "torch"])
    ("; did you mean 'operator'?", '')
    """
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def finite(*values: float) -> bool:
    """Whether all of these numbers are finite."""
    return all(map(math.isfinite, values))


def wrapped(head: str, text: str) -> Iterator[str]:
    """Yield the lines of a paragraph that begins with ``head``; the others are indented."""
    indent = " " * (len(head) - len(head.lstrip()) + 2)
    yield from textwrap.wrap(
        head + text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [head]
