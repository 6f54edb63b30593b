"""reStructuredText, AsciiDoc and Org: the text is the source; headings and paragraphs in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ingest.decode import decode
from ingest.parse import verbatim
from ingest.parse.verbatim import Span
from retrieval.types import BlockKind, Document

RST, ASCIIDOC, ORG = "text/x-rst", "text/x-asciidoc", "text/x-org"
# A line of one sign, title, line; or title, line. The sign and the line above make the style.
_RST = re.compile(
    r"(?m)^(?:(?P<over>([!-/:-@\[-`{-~])\2{2,})[ \t]*\n)?[ \t]*(?P<title>\S[^\n]*)\n"
    r"(?P<under>([!-/:-@\[-`{-~])\5{2,})[ \t]*$"
)
_ASCIIDOC = re.compile(r"(?m)^(?P<marks>={1,6}|#{1,6})[ \t]+(?P<title>\S[^\n]*)$")
_ASCIIDOC_FENCE = re.compile(r"(?ms)^(-{4,}|\.{4,}|\+{4,}|/{4,})[ \t]*\n.*?^\1[ \t]*$")
_ORG = re.compile(r"(?m)^(?P<marks>\*+)[ \t]+(?P<title>\S[^\n]*)$")
_ORG_FENCE = re.compile(r"(?mis)^[ \t]*#\+begin_(\w+).*?^[ \t]*#\+end_\1[ \t]*$")
_ORG_TITLE = re.compile(r"(?mi)^#\+title:[ \t]*(\S[^\n]*)$")
_ORG_EXTRAS = re.compile(r"^(?:TODO|DONE)[ \t]+|[ \t]+:[\w@:]+:[ \t]*$")
_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n[^\S\n]*\S[^\n]*)*")
_ITEM = re.compile(r"(?:[-*+•]+|\.+|\d{1,9}[.)]|#\.)[ \t]+\S")


class _Heading(NamedTuple):
    start: int
    end: int
    level: int
    title: str


def read(path: Path, media_type: str) -> Document:
    """Parse a document in one of the three markups.

    Raises:
        NoText, Unreadable: the file is blank, or not text.
    """
    text = decode(path.read_bytes())
    headings = list(_SCANNERS[media_type](text))
    stated = _ORG_TITLE.search(text) if media_type == ORG else None
    title = stated.group(1) if stated else next((h.title for h in headings), None)
    fence = {ASCIIDOC: _ASCIIDOC_FENCE, ORG: _ORG_FENCE}.get(media_type)
    return verbatim.document(media_type, text, _spans(text, headings, fence), title=title)


def _spans(text: str, headings: list[_Heading], fence: re.Pattern[str] | None) -> Iterator[Span]:
    above: list[tuple[int, str]] = []
    at = 0
    for heading in headings:
        yield from _between(text, at, heading.start, tuple(title for _, title in above), fence)
        above = [entry for entry in above if entry[0] < heading.level]
        above.append((heading.level, heading.title))
        yield Span("heading", heading.start, heading.end, tuple(title for _, title in above))
        at = heading.end
    yield from _between(text, at, len(text), tuple(title for _, title in above), fence)


def _between(
    text: str, start: int, end: int, path: tuple[str, ...], fence: re.Pattern[str] | None
) -> Iterator[Span]:
    """Paragraphs from `start` to `end`; what is fenced stays together as code."""
    for code in fence.finditer(text, start, end) if fence else ():
        yield from _paragraphs(text, start, code.start(), path)
        yield Span("code", code.start(), code.end(), path)
        start = code.end()
    yield from _paragraphs(text, start, end, path)


def _paragraphs(text: str, start: int, end: int, path: tuple[str, ...]) -> Iterator[Span]:
    for found in _PARAGRAPH.finditer(text, start, end):
        kind: BlockKind = "list_item" if _ITEM.match(found.group()) else "paragraph"
        yield Span(kind, found.start(), found.end(), path)


def _rst_headings(text: str) -> Iterator[_Heading]:
    """A style's level is its place in the order of first use (docutils, "Sections")."""
    styles: list[tuple[str, bool]] = []
    for found in _RST.finditer(text):
        over, under, title = found.group("over"), found.group("under"), found.group("title")
        too_short = len(under) < len(title.rstrip())
        if too_short or (over and over[0] != under[0]) or set(title.strip()) == {title.strip()[0]}:
            continue
        style = (under[0], bool(over))
        if style not in styles:
            styles.append(style)
        yield _Heading(found.start(), found.end(), styles.index(style) + 1, title.strip())


def _asciidoc_headings(text: str) -> Iterator[_Heading]:
    yield from _marked(text, _ASCIIDOC, _ASCIIDOC_FENCE)


def _org_headings(text: str) -> Iterator[_Heading]:
    for heading in _marked(text, _ORG, _ORG_FENCE):
        yield heading._replace(title=_ORG_EXTRAS.sub("", heading.title).strip())


def _marked(text: str, line: re.Pattern[str], fence: re.Pattern[str]) -> Iterator[_Heading]:
    """Headings whose marks count out their level, outside of fences."""
    fenced = [(found.start(), found.end()) for found in fence.finditer(text)]
    for found in line.finditer(text):
        while fenced and fenced[0][1] <= found.start():
            fenced.pop(0)
        if not (fenced and fenced[0][0] <= found.start()):
            level = len(found.group("marks"))
            yield _Heading(found.start(), found.end(), level, found.group("title").strip())


_SCANNERS: MappingProxyType[str, Callable[[str], Iterator[_Heading]]] = MappingProxyType({
    RST: _rst_headings, ASCIIDOC: _asciidoc_headings, ORG: _org_headings,
})  # fmt: skip
