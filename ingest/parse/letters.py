"""How the letters of a page are counted, on both sides of the sandbox. Pure."""

from __future__ import annotations

from typing import NamedTuple

_BAR = "|"  # between cells: in our text, and not on the page


class PageSpan(NamedTuple):
    """A run of letters of one page, counted without white space and bars."""

    page: int  # from 1
    first: int  # how many letters of the page's text come before it
    letters: str


def letters_of(text: str) -> str:
    """`text` as letters are counted: without white space and bars.

    >>> letters_of("Team | Cups won")
    'TeamCupswon'
    """
    return "".join(text.replace(_BAR, "").split())
