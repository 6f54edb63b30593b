"""Documents in parts: what is too long to be held as a whole comes and goes piece by piece.

A part is a document of its own, whose positions count from its beginning; its places are those of
the file. Laid end to end the parts are the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from retrieval.types import Block, Document

PART_CHARS = 1 << 20
_LAST_SPACE = re.compile(r"\s(?=\S*\Z)")


def stretches(pieces: Iterable[str]) -> Iterator[str]:
    """A text that comes in pieces of any length, cut after paragraphs, lines or words.

    No stretch is longer than two parts and a piece; a text that is not, is one.
    """
    pending = ""
    for piece in pieces:
        pending += piece
        if len(pending) >= 2 * PART_CHARS:
            end = _good_end(pending)
            yield pending[:end]
            pending = pending[end:]
    if pending:
        yield pending


def _good_end(text: str) -> int:
    """After the last blank line, line or word of the second half; else the end."""
    for mark in ("\n\n", "\n", " "):
        place = text.rfind(mark, len(text) // 2)
        if place >= 0:
            return place + len(mark)
    space = _LAST_SPACE.search(text, len(text) // 2)
    return space.end() if space else len(text)


def lines(pieces: Iterable[str]) -> Iterator[str]:
    """The lines of a text that comes in pieces of any length, each with the line feed at its end."""
    begun: list[str] = []
    for piece in pieces:
        first, *others = piece.split("\n")
        begun.append(first)
        for other in others:
            yield "".join(begun) + "\n"
            begun = [other]
    if last := "".join(begun):
        yield last


def joined(parts: Iterable[Document]) -> Document:
    """The document that is made of at least one part; nothing is copied where it is one."""
    first, *others = parts
    if not others:
        return first
    blocks, texts, start = list(first.blocks), [first.text], len(first.text)
    for part in others:
        blocks += moved(part.blocks, start)
        texts.append(part.text)
        start += len(part.text)
    return replace(first, text="".join(texts), blocks=tuple(blocks))


def moved(blocks: Iterable[Block], by: int) -> list[Block]:
    """Blocks whose positions count from `by` characters before."""
    return [
        replace(block, start_char=block.start_char + by, end_char=block.end_char + by)
        for block in blocks
    ]
