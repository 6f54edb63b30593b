"""Pieces a parser found, put together to a Document that keeps its invariants."""

from __future__ import annotations

import re

from ingest.clean import clean
from retrieval.boxes import PageBoxes
from retrieval.errors import NoText
from retrieval.types import Block, BlockKind, Document, Place

# Pieces of these kinds follow each other on the next line; everything else leaves a blank line.
_TIGHT: frozenset[BlockKind] = frozenset({"table_row", "list_item"})
_HEADING_CHARS = 300  # a longer heading is a paragraph in a heading's style
_NOWHERE = Place()


class Assembler:
    """Joins pieces in reading order and knows under which headings each of them stands."""

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type
        self._pieces: list[str] = []
        self._blocks: list[Block] = []
        self._length = 0
        self._headings: list[tuple[int, str]] = []

    @property
    def heading_path(self) -> tuple[str, ...]:
        """Headings above the next piece, outermost first."""
        return tuple(title for _, title in self._headings)

    @property
    def n_blocks(self) -> int:
        """How many pieces with text were added."""
        return len(self._blocks)

    @property
    def n_chars(self) -> int:
        """How long the text is so far."""
        return self._length

    @property
    def first_heading(self) -> str | None:
        """Text of the first heading added, a stand-in for a title."""
        return next((b.heading_path[-1] for b in self._blocks if b.kind == "heading"), None)

    def heading(self, text: str, *, level: int, place: Place = _NOWHERE) -> None:
        """Add a heading; it closes all headings of `level` (1 is the highest) and below.

        Too long a text is added as a paragraph: it is prose that only looks like a heading.
        """
        title = " ".join(clean(text).split())
        if not title or len(title) > _HEADING_CHARS:
            self.add(title, place=place)
            return
        self.open_section(title, level=level)
        self.add(title, kind="heading", place=place)

    def open_section(self, title: str, *, level: int) -> None:
        """Put what follows under `title` without adding `title` to the text."""
        self._headings = [entry for entry in self._headings if entry[0] < level]
        self._headings.append((level, title))

    def close_sections(self) -> None:
        """Put what follows under no heading."""
        self._headings = []

    def add(
        self,
        text: str,
        *,
        kind: BlockKind = "paragraph",
        place: Place = _NOWHERE,
        lines: PageBoxes | None = None,
    ) -> None:
        """Add one piece of text as a block; a piece without text is left out.

        `lines` are boxes of the lines of `text`, of which then none is blank.
        """
        text = clean(text).strip()
        if not text:
            return
        if self._blocks:
            tight = kind in _TIGHT and kind == self._blocks[-1].kind
            self._append("\n" if tight else "\n\n")
        start = self._length
        self._append(text)
        self._blocks.append(Block(kind, start, self._length, place, self.heading_path, lines))

    def _append(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    def part(self) -> Document:
        """What was added since the last part; what comes next goes on on the next line."""
        self._append("\n")
        part = Document(self._media_type, "".join(self._pieces), tuple(self._blocks))
        self._pieces, self._blocks, self._length = [], [], 0
        return part

    def document(
        self,
        *,
        title: str | None = None,
        n_pages: int | None = None,
        unread_pages: tuple[int, ...] = (),
        if_empty: str = "There is no text in the file.",
    ) -> Document:
        """Return the document of all pieces.

        Raises:
            NoText: nothing was added; the message is `if_empty`.
        """
        if not self._blocks:
            raise NoText(if_empty)
        return Document(
            media_type=self._media_type,
            text="".join(self._pieces),
            blocks=tuple(self._blocks),
            title=tidy_title(title),
            n_pages=n_pages,
            unread_pages=unread_pages,
        )


_NO_TITLE = re.compile(r"(?i)^(untitled|document\d*|powerpoint presentation|presentation\d*)?$")


def tidy_title(title: str | None) -> str | None:
    """Return a title on one line, or None where a program only put its default there."""
    line = " ".join(clean(title or "").split())
    return None if _NO_TITLE.match(line) else line[:_HEADING_CHARS]
