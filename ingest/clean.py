"""Characters that may stand in a document's text. Pure."""

from __future__ import annotations

import re

# Control characters but tab and newline; soft hyphens; lone surrogates; non-characters. SQLite
# cuts at NUL, JSON and UTF-8 refuse surrogates, and none of them is seen by a reader.
_BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\xad\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    r"""Return `text` with ``\n`` as its only line end and without unusable characters.

    Vertical tabs and form feeds end a line. Lone surrogates become U+FFFD, since something was
    there; soft hyphens, byte order marks, control and non-characters go.

    >>> clean("co\xadop\r\nA\x0cB\x00C")
    'coop\nA\nBC'
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BAD.sub(_instead, text)


def _instead(match: re.Match[str]) -> str:
    character = match.group()
    if character in "\x0b\x0c\x1c\x1d\x1e":
        return "\n"
    return "\ufffd" if "\ud800" <= character <= "\udfff" else ""


def one_line(text: str) -> str:
    """Return `text` cleaned, every run of white space one blank, ends trimmed."""
    return _SPACES.sub(" ", clean(text)).strip()
