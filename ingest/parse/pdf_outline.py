"""A PDF's bookmarks, and finding them again among the lines of their pages."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice

import pypdfium2 as pdfium

from ingest.clean import one_line

_MAX_ENTRIES = 5_000
_MIN_LETTERS = 3  # a shorter title would be found everywhere
_WORD_CHARACTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """A bookmark: level from 1, title, page from 1."""

    level: int
    title: str
    page: int


def read_outline(pdf: pdfium.PdfDocument) -> list[OutlineEntry]:
    """Return the bookmarks that lead to a page of the file, in order."""
    entries = []
    for bookmark in islice(pdf.get_toc(max_depth=8), _MAX_ENTRIES):
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        title = one_line(bookmark.get_title() or "")
        if index is not None and 0 <= index < len(pdf) and title:
            entries.append(OutlineEntry(bookmark.level + 1, title, index + 1))
    return entries


class Outline:
    """Bookmarks by page, to be matched with paragraphs."""

    def __init__(self, entries: list[OutlineEntry]) -> None:
        self._by_page: dict[int, dict[str, int]] = defaultdict(dict)
        for entry in entries:
            key = _key(entry.title)
            if len(key) >= _MIN_LETTERS:
                self._by_page[entry.page].setdefault(key, entry.level)
        self.depth = max((entry.level for entry in entries), default=0)

    def level(self, text: str, page: int) -> int | None:
        """Return the level of the bookmark whose title `text` on `page` is, if there is one.

        Numbers before either of the two do not matter.
        """
        titles = self._by_page.get(page)
        if not titles:
            return None
        key = _key(text)
        if key in titles:
            return titles[key]
        bare = key.lstrip("0123456789")
        return next(
            (level for title, level in titles.items() if title.lstrip("0123456789") == bare != ""),
            None,
        )


def _key(title: str) -> str:
    return _WORD_CHARACTERS.sub("", unicodedata.normalize("NFKC", title)).casefold()
