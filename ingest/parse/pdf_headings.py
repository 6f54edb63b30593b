"""Which paragraphs of a PDF are headings, and which only run along its margins. Pure.

A PDF does not say. Bookmarks do, for some files; else size, weight and numbers have to.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.parse.pdf_layout import Part
from ingest.parse.pdf_outline import Outline

_MAX_CHARS = 160
_MAX_ROWS = 3
_SHORT_CHARS = 60  # a heading may end in a full stop if it is no longer than this
_LARGER = 1.12  # times the size of the body: a heading by its size
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})[.)]?\s+[^\W\d_]")
_NAMED = re.compile(
    r"(?:Item|ITEM|Part|PART|Chapter|CHAPTER|Section|SECTION|Appendix|Note|NOTE)\s+\d*[A-Z\d]*\b"
)
_PROSE_END = re.compile(r"[.,;:!?]$")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_MAX_SIZES = 4  # levels told apart by size; more are noise


@dataclass(frozen=True, slots=True)
class PagePart:
    """A part and the page, from 1, that it stands on."""

    page: int
    part: Part


class Headings:
    """Tells the level of headings; knows the sizes that the whole file uses."""

    def __init__(self, found: Sequence[PagePart], outline: Outline) -> None:
        self._outline = outline
        self._body = _body_size(found)
        self._levels = self._size_levels(found)

    def level(self, item: PagePart) -> int | None:
        """Return a heading's level, 1 the highest, or None for other text."""
        text, rows = item.part.text, item.part.rows
        if len(text) > _MAX_CHARS or len(rows) > _MAX_ROWS or not _LETTERS.search(text):
            return None
        if item.part.kind != "table_row":
            listed = self._outline.level(text, item.page)
            if listed is not None:
                return listed
        if item.part.kind == "table_row" or not rows[0].pieces[0].upright or not text[0].isalnum():
            return None
        if any(len(row.pieces) > 1 for row in rows):
            return None
        return self._by_look(item.part, text)

    def _by_look(self, part: Part, text: str) -> int | None:
        size, bold = _step(part.rows[0].size), part.rows[0].bold
        below = self._outline.depth
        if part.kind == "list_item" and not _NUMBERED.match(text):
            return None
        if size in self._levels and not text.endswith((".", ",", ";")):
            return below + self._levels[size]
        if not bold:
            return None
        if _PROSE_END.search(text) and not (text.endswith(".") and len(text) < _SHORT_CHARS):
            return None
        lowest = below + len(self._levels)
        if numbered := _NUMBERED.match(text):
            return lowest + 1 + numbered.group(1).count(".")
        return lowest + (1 if _NAMED.match(text) or text.isupper() else 2)

    def _size_levels(self, found: Sequence[PagePart]) -> dict[float, int]:
        """Level of each font size that is larger than the body's, largest first."""
        sizes = Counter(
            _step(item.part.rows[0].size)
            for item in found
            if item.part.kind != "table_row"
            and len(item.part.rows) <= _MAX_ROWS
            and item.part.rows[0].size >= _LARGER * self._body
            and item.part.rows[0].pieces[0].upright
        )
        largest = sorted(sizes, reverse=True)
        return {size: min(rank, _MAX_SIZES) for rank, size in enumerate(largest, start=1)}


def _step(size: float) -> float:
    return round(size * 2) / 2


def _body_size(found: Sequence[PagePart]) -> float:
    """The font size that most characters of the file are in."""
    sizes: Counter[float] = Counter()
    for item in found:
        for row in item.part.rows:
            sizes[_step(row.size)] += len(row.text)
    return sizes.most_common(1)[0][0] if sizes else 1.0


_PAGE_NUMBER = re.compile(
    r"(?i)\W*(?:page|seite|p\.)?\s*(?:[a-z]{1,2}-)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:of|von|/)\s*\d{1,4})?\W*"
)
_DIGITS = re.compile(r"\d+")
_EDGE_PARTS = 3  # how many parts from either end of a page may be running ones
_MIN_PAGES = 3


def running_parts(pages: Sequence[Sequence[PagePart]]) -> set[int]:
    """Return `id`s of the parts that are running headers, footers or page numbers.

    These repeat, but for digits, at the edge of at least three pages and of a fifth of all; a
    bare number is one at any page's edge.
    """
    seen: dict[str, list[PagePart]] = defaultdict(list)
    running: set[int] = set()
    for page in pages:
        for item in _edges(page):
            text = item.part.text
            if _PAGE_NUMBER.fullmatch(text):
                running.add(id(item))
            elif len(text) <= _MAX_CHARS:
                seen[_DIGITS.sub("#", text)].append(item)
    needed = max(_MIN_PAGES, 0.2 * len(pages))
    for items in seen.values():
        n_pages = len({item.page for item in items})
        if n_pages >= min(needed, 20):
            running.update(id(item) for item in items)
    return running


def _edges(page: Sequence[PagePart]) -> list[PagePart]:
    by_height = sorted(page, key=lambda item: -item.part.rows[0].y)
    if len(by_height) <= 2 * _EDGE_PARTS:
        return by_height
    return by_height[:_EDGE_PARTS] + by_height[-_EDGE_PARTS:]
