"""Hit or citation → boxes on the pages of its file, when somebody wants to draw them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ingest.boxes import boxes_of
from retrieval.boxes import PageBoxes
from retrieval.errors import NotFound
from retrieval.queries import Citation, Hit
from retrieval.types import Block

if TYPE_CHECKING:
    from api.engine import Engine
    from retrieval.store import Tables

Found = TypeVar("Found", Hit, Citation)


def with_boxes(engine: Engine, found: Found) -> Found:
    """`found` with its boxes; none where its format has no pages or its file is gone."""
    return replace(found, boxes=boxes(engine, found))


def boxes(engine: Engine, found: Hit | Citation) -> tuple[PageBoxes, ...]:
    """Boxes of a hit or of a citation's quote, see `ingest.boxes`."""
    if found.place.first_page is None:
        return ()
    text = found.text if isinstance(found, Hit) else found.quote
    begin, end = found.start_char, found.end_char
    with engine.store.read() as view:
        try:
            file = view.files.get(found.file_id)
        except NotFound:
            return ()
        source = _source(view, found.file_id, begin, end, text)
        if source is None:
            return ()
        number, blocks = source
        first, last = _pages(blocks, begin, end)
        stored = view.commits.text(number, first, last)
    return boxes_of(
        engine.store.blobs.path(file.sha256),
        blocks=blocks,
        text=lambda start, end: stored[start - first : end - first],
        span=(begin, end),
    )


def _source(
    view: Tables, file_id: str, begin: int, end: int, text: str
) -> tuple[int, tuple[Block, ...]] | None:
    """Row and blocks of an attachment of the file that has `text` at its place.

    Attachments of one file may stem from different versions of its parser.
    """
    for number in view.attachments.of_file(file_id):
        try:
            if view.commits.text(number, begin, end) == text:
                return number, view.commits.blocks(number)
        except NotFound:  # not indexed yet
            continue
    return None


def _pages(blocks: tuple[Block, ...], begin: int, end: int) -> tuple[int, int]:
    """Borders of the text of the pages that the passage touches."""
    pages = {b.place.first_page for b in blocks if b.end_char > begin and b.start_char < end}
    on_them = [block for block in blocks if block.place.first_page in pages]
    return (on_them[0].start_char, on_them[-1].end_char) if on_them else (begin, end)
