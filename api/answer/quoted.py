"""Quotes as people read them."""

from __future__ import annotations

import re

_SPACES = re.compile(r"[ \t]+")
_STANDS_ALONE = re.compile(
    r"\s\|\s|\t|^\s*[-*•]\s|[:;]$"
)  # a row, an item, or what announces them


def readable(quote: str) -> str:
    r"""A quote without the line breaks of its page; rows and items keep theirs.

    >>> readable("It opens at\n  nine.")
    'It opens at nine.'
    """
    lines = [line.strip() for line in quote.splitlines() if line.strip()]
    text = ""
    for line, before in zip(lines, ["", *lines[:-1]], strict=True):
        own_line = _STANDS_ALONE.search(line) or _STANDS_ALONE.search(before)
        text += ("\n" if own_line else " ") * bool(text) + line
    return _SPACES.sub(" ", text)
