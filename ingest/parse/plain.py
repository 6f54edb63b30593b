"""Plain text, and whatever else is text without a parser of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.decode import decoded
from ingest.parse import verbatim
from ingest.parse.parts import joined, stretches
from ingest.parse.verbatim import Span
from retrieval.errors import NoText
from retrieval.types import BlockKind, Document

_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n[^\S\n]*\S[^\n]*)*")
_UNDERLINED = re.compile(r"(\S[^\n]{0,118})\n([=\-~^*#])\2{2,}[^\S\n]*$")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})[.)]?[ \t]+[^\W\d_][^\n]{0,90}[^\n.,;:!?]$")
_NAMED = re.compile(
    r"(?i)(chapter|part|book|section|article|appendix|annex)\s+[\divxlc]+\b[^\n]{0,80}$"
)
_HEADING_CHARS = 100


def read(path: Path, media_type: str) -> Document:
    """Parse a text file: a block a paragraph, the source left as it is.

    Raises:
        NoText, Unreadable: the file is blank, or not text.
    """
    return joined(read_parts(path, media_type))


def read_parts(path: Path, media_type: str) -> Iterator[Document]:
    """The same in parts of one or two million characters, so that the file may be of any length.

    Raises:
        NoText, Unreadable: like `read`; the first when all parts have been given.
    """
    above: list[tuple[int, str]] = []
    line, is_blank = 1, True
    for text in stretches(decoded(path)):
        blocks, line = verbatim.blocks(text, _spans(text, above), first_line=line)
        is_blank = is_blank and not blocks
        yield Document(media_type=media_type, text=text, blocks=blocks)
    if is_blank:
        raise NoText(verbatim.BLANK)


def _spans(text: str, above: list[tuple[int, str]] | None = None) -> Iterator[Span]:
    """Paragraphs; `above` are the headings over the next one, and is kept up to date."""
    above = [] if above is None else above
    for found in _PARAGRAPH.finditer(text):
        heading = _heading(found.group()) if len(found.group()) <= 2 * _HEADING_CHARS else None
        if heading:
            level, title = heading
            above[:] = [*(entry for entry in above if entry[0] < level), (level, title)]
        kind: BlockKind = "heading" if heading else "paragraph"
        yield Span(kind, found.start(), found.end(), tuple(title for _, title in above))


def _heading(paragraph: str) -> tuple[int, str] | None:
    """Level and title of a paragraph that is a heading by its looks."""
    if underlined := _UNDERLINED.match(paragraph):
        return (1 if underlined.group(2) in "=#*" else 2), underlined.group(1).strip()
    if "\n" in paragraph or len(paragraph) > _HEADING_CHARS:
        return None
    line = paragraph.strip()
    if _NAMED.match(line):
        return 1, line
    if numbered := _NUMBERED.match(line):
        return 1 + numbered.group(1).count("."), line
    shouted = line.isupper() and " " in line and line[-1] not in ".,;:"
    return (1, line) if shouted else None
