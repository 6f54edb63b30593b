"""Markdown: the text is the source; headings, lists, tables and fences become blocks.

A scanner of lines and not a full CommonMark parser: a search index needs to know where blocks
begin and under which heading they stand, and it must keep every character where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.decode import decode
from ingest.parse import verbatim
from ingest.parse.verbatim import Span
from retrieval.types import BlockKind, Document

_FRONT_MATTER = re.compile(r"---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_FRONT_TITLE = re.compile(r"""(?m)^title:[ \t]*["']?(.+?)["']?[ \t]*$""")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(`{3,}|~{3,})")
_ITEM = re.compile(r"[ \t>]*(?:[-*+]|\d{1,9}[.)])(?:[ \t]+\S|[ \t]*$)")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_TABLE_RULE = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}")


def read(path: Path, media_type: str) -> Document:
    """Parse Markdown.

    Raises:
        NoText, Unreadable: the file is blank, or not text.
    """
    text = decode(path.read_bytes())
    scan = _Scan(text)
    spans = list(scan.spans())
    first = next(
        (span.heading_path[0] for span in spans if span.kind == "heading" and span.heading_path),
        None,
    )
    return verbatim.document(media_type, text, spans, title=scan.title or first)


def markdown_spans(text: str) -> list[Span]:
    """Return the blocks of Markdown that is part of something larger."""
    return list(_Scan(text).spans())


class _Scan:
    """One pass over the lines; `_open` is the block that the next line may go on with."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._above: list[tuple[int, str]] = []
        self._open: tuple[BlockKind, int, int] | None = None
        self.title: str | None = None

    def spans(self) -> Iterator[Span]:
        """Yield the blocks in order."""
        at = 0
        if front := _FRONT_MATTER.match(self._text):
            titled = _FRONT_TITLE.search(front.group())
            self.title = titled.group(1) if titled else None
            yield Span("other", 0, front.end())
            at = front.end()
        while at < len(self._text):
            end = self._line_end(at)
            line = self._text[at:end]
            if fence := _FENCE.match(line):
                yield from self._close()
                end = self._fence_end(end, fence.group(1))
                yield self._span("code", at, end)
            else:
                yield from self._take(line, at, end)
            at = end + 1
        yield from self._close()

    def _take(self, line: str, start: int, end: int) -> Iterator[Span]:
        if not line.strip():
            yield from self._close()
        elif atx := _ATX.match(line):
            yield from self._close()
            yield self._heading(len(atx.group(1)), atx.group(2) or "", start, end)
        elif (setext := _SETEXT.match(line)) and self._open and self._open[0] == "paragraph":
            first = self._open[1]
            self._open = None
            level = 1 if setext.group(1)[0] == "=" else 2
            title = self._text[first:start]
            yield self._heading(level, title, first, end)
        elif _is_row(line, self._open):
            yield from self._close()
            yield self._span("table_row", start, end)
        elif _ITEM.match(line) and not _RULE.match(line):
            yield from self._close()
            self._open = ("list_item", start, end)
        elif self._open:
            self._open = (self._open[0], self._open[1], end)
        else:
            self._open = ("paragraph", start, end)

    def _close(self) -> Iterator[Span]:
        """End the open block; a list item's own later paragraphs become paragraphs."""
        if self._open:
            yield self._span(*self._open)
            self._open = None

    def _heading(self, level: int, source: str, start: int, end: int) -> Span:
        title = _plain(source)
        if title:
            self._above = [entry for entry in self._above if entry[0] < level]
            self._above.append((level, title))
        return self._span("heading", start, end)

    def _span(self, kind: BlockKind, start: int, end: int) -> Span:
        return Span(kind, start, end, tuple(title for _, title in self._above))

    def _line_end(self, at: int) -> int:
        newline = self._text.find("\n", at)
        return len(self._text) if newline < 0 else newline

    def _fence_end(self, at: int, mark: str) -> int:
        """End of the line that closes a fence opened by `mark`; the text's end if none does."""
        closing = re.compile(rf"(?m)^[ \t>]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$")
        found = closing.search(self._text, at + 1)
        return found.end() if found else len(self._text)


def _is_row(line: str, before: tuple[BlockKind, int, int] | None) -> bool:
    """Tell whether a line is a row of a pipe table and not prose with a bar in it."""
    row = line.strip()
    if row.startswith("|") and row.count("|") > 1:
        return True
    return before is None and row.count("|") > 0 and bool(_TABLE_RULE.match(line) or " | " in row)


def _plain(source: str) -> str:
    """A heading without its inline markup."""
    return " ".join(_MARKUP.sub("", _LINK.sub(r"\1", source)).split())
