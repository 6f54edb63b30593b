"""A document piece by piece, so that one of any length is cut in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from retrieval.types import Block, Document

# Large enough that working on whole pieces pays, small enough that some of them are no burden.
PIECE_CHARS = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a document's text with its blocks; positions are those of the document."""

    start_char: int
    text: str
    blocks: Sequence[Block]


class Source(Protocol):
    """A document that can be read piece by piece, more than once."""

    def pieces(self) -> Iterator[Piece]:
        """All of its text in order. No word and no block goes through the border of two."""

    def text(self, start: int, end: int) -> str:
        """The text from `start` to `end`, in characters."""


@dataclass(frozen=True, slots=True)
class Held:
    """A document that is in memory."""

    document: Document

    def pieces(self) -> Iterator[Piece]:
        """See `Source.pieces`."""
        text, blocks = self.document.text, self.document.blocks
        start = first = 0
        for number, block in enumerate(blocks):
            far = block.start_char - start >= PIECE_CHARS
            if far and text[block.start_char - 1].isspace():
                yield Piece(start, text[start : block.start_char], blocks[first:number])
                start, first = block.start_char, number
        yield Piece(start, text[start:], blocks[first:])

    def text(self, start: int, end: int) -> str:
        """See `Source.text`."""
        return self.document.text[start:end]


@dataclass(frozen=True, slots=True)
class Stored:
    """A document that was stored piece by piece because it is long."""

    borders: Sequence[int]  # (n_pieces + 1,) where each piece begins, and where the last one ends
    read_blocks: Callable[[int], Sequence[Block]]  # of a piece
    read_text: Callable[[int, int], str]  # from one character to another

    def pieces(self) -> Iterator[Piece]:
        """See `Source.pieces`."""
        for piece, (start, end) in enumerate(pairwise(self.borders)):
            yield Piece(start, self.read_text(start, end), self.read_blocks(piece))

    def text(self, start: int, end: int) -> str:
        """See `Source.text`."""
        return self.read_text(start, end)
