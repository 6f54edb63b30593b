"""Documents whose text is the source itself: blocks are spans of it, placed by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ingest.parse.assemble import tidy_title
from retrieval.errors import NoText
from retrieval.types import Block, BlockKind, Document, Place

# A place is of use only if it is narrow: blocks beyond this are cut, at a line's end.
_MAX_LINES = 40
_MIN_LINES = 20  # not before this many lines, wherever a good place for a cut may be
_MAX_CHARS = 6_000
BLANK = "The file is empty: there is nothing but white space in it."
_SENTENCE_ENDS = (".", "!", "?", ":", ";", "。", "！", "？", "}", ">")


class Span(NamedTuple):
    """A part of the source that becomes one block, or some if it is long."""

    kind: BlockKind
    start_char: int
    end_char: int
    heading_path: tuple[str, ...] = ()


def document(
    media_type: str, text: str, spans: Iterable[Span], *, title: str | None = None
) -> Document:
    """Return the document over `text` with a block for each of `spans`.

    `spans` are in order and hold all that is not white space. Lines count from 1.

    Raises:
        NoText: `text` is blank.
    """
    found, _ = blocks(text, spans)
    if not found:
        raise NoText(BLANK)
    return Document(media_type=media_type, text=text, blocks=found, title=tidy_title(title))


def blocks(
    text: str, spans: Iterable[Span], *, first_line: int = 1
) -> tuple[tuple[Block, ...], int]:
    """The blocks of a text that begins on line `first_line`, and the line that it ends on."""
    found, line, counted_to = [], first_line, 0
    for span in spans:
        for start, end in _pieces(text, span):
            line += text.count("\n", counted_to, start)
            last = line + text.count("\n", start, end)
            place = Place(first_line=line, last_line=last)
            found.append(Block(span.kind, start, end, place, span.heading_path))
            line, counted_to = last, end
    return tuple(found), line + text.count("\n", counted_to)


def _pieces(text: str, span: Span) -> Iterator[tuple[int, int]]:
    """The span without white space at its ends, cut where it is too long."""
    for start, end in _cut(text, span.start_char, span.end_char):
        piece = text[start:end]
        trimmed = piece.strip()
        if trimmed:
            first = start + len(piece) - len(piece.lstrip())
            yield first, first + len(trimmed)


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if end - start <= _MAX_CHARS and text.count("\n", start, end) <= _MAX_LINES:
        yield start, end
        return
    cut, n_lines, at = start, 0, start
    while (newline := text.find("\n", at, end)) >= 0:
        n_lines += 1
        at = newline + 1
        enough = n_lines >= _MIN_LINES and text.endswith(_SENTENCE_ENDS, cut, newline)
        if enough or n_lines >= _MAX_LINES or at - cut >= _MAX_CHARS:
            yield cut, at
            cut, n_lines = at, 0
    yield cut, end
