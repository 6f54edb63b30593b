r"""LaTeX: the text is the source; ``\section`` and its kin become headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.decode import decode
from ingest.parse import verbatim
from ingest.parse.verbatim import Span
from retrieval.types import Document

_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph")
# A heading of one line, with braces one deep; or a paragraph up to the next blank line or heading.
_BLOCK = re.compile(
    r"(?P<heading>^[ \t]*\\(?P<name>part|chapter|(?:sub){0,2}section|paragraph)\*?"
    r"(?:\[[^\]\n]*\])?\{(?P<title>(?:[^{}\n]|\{[^{}\n]*\})*)\})"
    r"|\S[^\n]*(?:\n(?![ \t]*\\(?:part|chapter|(?:sub){0,2}section|paragraph)\b)[^\S\n]*\S[^\n]*)*",
    re.MULTILINE,
)
_TITLE = re.compile(r"\\title(?:\[[^\]]*\])?\{((?:[^{}]|\{[^{}]*\})*)\}")
_COMMAND = re.compile(r"\\(?:label|footnote|thanks)\{[^{}]*\}|\\[A-Za-z]+\*?|\\.|[{}~$]")


def read(path: Path, media_type: str) -> Document:
    """Parse LaTeX source.

    Raises:
        NoText, Unreadable: the file is blank, or not text.
    """
    text = decode(path.read_bytes())
    found = _TITLE.search(text)
    title = _plain(found.group(1)) if found else None
    return verbatim.document(media_type, text, _spans(text), title=title)


def _spans(text: str) -> Iterator[Span]:
    above: list[tuple[int, str]] = []
    for found in _BLOCK.finditer(text):
        if name := found.group("name"):
            level = _LEVELS.index(name)
            above = [entry for entry in above if entry[0] < level]
            above.append((level, _plain(found.group("title"))))
        path = tuple(title for _, title in above if title)
        yield Span("heading" if name else "paragraph", found.start(), found.end(), path)


def _plain(source: str) -> str:
    return " ".join(_COMMAND.sub(" ", source).split())
