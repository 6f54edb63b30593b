"""Passage of an indexed text → boxes on its pages, in the parser's child process.

Scanned pages keep the boxes of their lines beside the text, since reading them again would take
seconds. For pages with text they are looked up, see `ingest.parse.pdf_boxes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ingest.parse.letters import PageSpan, letters_of
from ingest.sandbox import Limits, boxes_in_child
from retrieval.boxes import PageBoxes, joined
from retrieval.errors import FileFailed
from retrieval.types import Block

_LIMITS = Limits(seconds=20.0)  # somebody waits for it; the slowest page of ours takes 0.2 s


def boxes_of(
    path: Path,
    *,
    blocks: Sequence[Block],
    text: Callable[[int, int], str],
    span: tuple[int, int],
) -> tuple[PageBoxes, ...]:
    """Boxes of the passage from `span[0]` to `span[1]`, page by page.

    Args:
        path: the file's bytes.
        blocks: all of the document, in order.
        text: gives the document's text from one character to another.
        span: first character and the one behind the last.

    Returns:
        Nothing where the format has no pages to draw on, or the file can't be read any more.
    """
    kept = [part for block in _touched(blocks, span) for part in _kept(block, text, span)]
    spans = list(page_spans(blocks, text, span))
    try:
        found = boxes_in_child(path, spans, limits=_LIMITS) if spans else []
    except FileFailed:
        found = []
    return joined([*kept, *found])


def page_spans(
    blocks: Sequence[Block], text: Callable[[int, int], str], span: tuple[int, int]
) -> Iterator[PageSpan]:
    """The passage page by page, as `ingest.parse.pdf_boxes` looks for it."""
    touched = [b for b in _touched(blocks, span) if b.lines is None and b.place.first_page]
    for page in sorted({block.place.first_page for block in touched if block.place.first_page}):
        on_page = [b for b in blocks if b.place.first_page == page and b.lines is None]
        begin = on_page[0].start_char
        start = max(span[0], begin)
        end = min(span[1], on_page[-1].end_char)
        letters = letters_of(text(start, end))
        if letters:
            yield PageSpan(page, len(letters_of(text(begin, start))), letters)


def _touched(blocks: Sequence[Block], span: tuple[int, int]) -> list[Block]:
    return [b for b in blocks if b.end_char > span[0] and b.start_char < span[1]]


def _kept(
    block: Block, text: Callable[[int, int], str], span: tuple[int, int]
) -> Iterator[PageBoxes]:
    """The kept boxes of those lines of a scanned block that the passage touches."""
    if block.lines is None:
        return
    at = block.start_char
    boxes = []
    lines = text(block.start_char, block.end_char).split("\n")
    for line, box in zip(lines, block.lines.boxes, strict=False):
        if at < span[1] and at + len(line) > span[0]:
            boxes.append(box)
        at += len(line) + 1
    yield PageBoxes(block.lines.page, block.lines.width, block.lines.height, tuple(boxes))
