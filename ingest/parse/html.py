"""HTML: the main text with its headings, lists and tables; menus and the like are left out."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from ingest.clean import one_line
from ingest.decode import decode
from ingest.parse.assemble import Assembler
from ingest.parse.html_main import is_boilerplate, main_element
from ingest.parse.tables import Cell, grid, render, rendered
from retrieval.types import BlockKind, Document

_EMPTY = (
    "There is no text in the page. If a script fills it in, save the page from a browser as PDF."
)
_META_CHARSET = re.compile(
    rb"""(?i)<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)"""
)
_MARKUP = re.compile(r"(?is)<(script|style|noscript)\b.*?(?:</\1\s*>|$)|<!--.*?-->|<[^>]*>")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn",
    "em", "font", "i", "ins", "kbd", "label", "mark", "q", "rp", "rt", "ruby", "s", "samp",
    "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "nobr",
})  # fmt: skip
_LAYOUT_CHARS = 600  # a cell this long is a column of a laid-out page, not a value


def read(path: Path, media_type: str) -> Document:
    """Parse an HTML page.

    Raises:
        NoText, Unreadable: there is no text in it, or it is not text at all.
    """
    return parse_text(decode_page(path.read_bytes()), media_type)


def decode_page(content: bytes, *, declared: str | None = None) -> str:
    """Return the source of a page; `declared` is the encoding stated beside it, if any.

    Raises:
        Unreadable: the bytes are not text.
    """
    found = _META_CHARSET.search(content[:2048])
    return decode(content, declared=found.group(1).decode() if found else declared)


def parse_text(text: str, media_type: str) -> Document:
    """Parse the source of an HTML page that is already decoded; see `read`."""
    root = etree.fromstring(text.encode(), _parser())
    try:
        assembler = _walked(root, media_type)
    except RecursionError:
        assembler = Assembler(media_type)
    if assembler.n_blocks == 0:
        # Elements nested deeper than libxml2 or Python goes: without them, the text is left.
        assembler.add(_without_markup(text))
    found = None if root is None else root.find(".//title")
    title = None if found is None else "".join(_strings(found))
    return assembler.document(title=title or assembler.first_heading, if_empty=_EMPTY)


def add_page(text: str, assembler: Assembler, *, prune: bool = True) -> None:
    """Add the body of a page that is part of something larger, such as a book or a message.

    Args:
        text: the page's source, decoded.
        assembler: takes the blocks; headings that are open stay so.
        prune: leave out menus and the like; in what is no web page there are none.
    """
    root = etree.fromstring(text.encode(), _parser())
    if root is None:
        return
    body = root.find("body")
    try:
        _Walk(assembler, prune=prune).run(root if body is None else body)
    except RecursionError:  # better some of it twice than the rest not at all
        assembler.add(_without_markup(text))


def _parser() -> etree.HTMLParser:
    # Huge: else libxml2 drops, without a word, what is nested deeper than 256 elements.
    return etree.HTMLParser(
        encoding="utf-8", remove_comments=True, no_network=True, huge_tree=True
    )


def _without_markup(text: str) -> str:
    return one_line(html.unescape(_MARKUP.sub(" ", text)))


def _walked(root: etree._Element | None, media_type: str) -> Assembler:
    assembler = Assembler(media_type)
    if root is None:
        return assembler
    main = main_element(root)
    found = root.find(".//title")
    title = "" if found is None else one_line("".join(_strings(found)))
    if title and not _is_repeated(title, main):
        assembler.heading(title, level=0)
    n_before = assembler.n_blocks
    _Walk(assembler, prune=True).run(main)
    if assembler.n_blocks == n_before:  # nothing but what looks like menus: better those
        _Walk(assembler, prune=False).run(root)
    return assembler


def _is_repeated(title: str, main: etree._Element) -> bool:
    """Tell whether a heading of the page says what its title says, give or take the site."""
    headings = (one_line("".join(_strings(found))) for found in main.iter("h1", "h2"))
    return any(heading and heading in title for heading in headings)


class _Walk:
    """Goes through the tree once; text gathers until a block's border flushes it."""

    def __init__(self, assembler: Assembler, *, prune: bool) -> None:
        self._assembler = assembler
        self._prune = prune
        self._gathered: list[str] = []
        self._kinds: list[BlockKind] = ["paragraph"]

    def run(self, root: etree._Element) -> None:
        """Add all blocks below `root`."""
        self._inside(root)
        self._flush()

    def _inside(self, element: etree._Element) -> None:
        self._gathered.append(element.text or "")
        for inner in element:
            if isinstance(inner.tag, str):
                self._element(inner)
            self._gathered.append(inner.tail or "")

    def _element(self, element: etree._Element) -> None:
        tag = str(element.tag)
        if self._prune and is_boilerplate(element):
            return
        if tag in _HEADINGS:
            self._heading(element, _HEADINGS[tag])
        elif tag == "br":
            self._gathered.append("\n")
        elif tag in _INLINE:
            self._inside(element)
        elif tag == "pre":
            self._flush()
            self._assembler.add("".join(_strings(element)), kind="code")
        elif tag == "table":
            self._flush()
            self._table(element)
        elif tag not in {"head", "title", "script", "style", "template"}:
            self._block(element, tag)

    def _block(self, element: etree._Element, tag: str) -> None:
        self._flush()
        self._kinds.append("list_item" if tag in {"li", "dt", "dd"} else "paragraph")
        self._inside(element)
        self._flush()
        self._kinds.pop()

    def _heading(self, element: etree._Element, level: int) -> None:
        self._flush()
        self._assembler.heading(one_line("".join(_strings(element))), level=level)

    def _flush(self) -> None:
        lines = "".join(self._gathered)
        self._gathered = []
        if lines and not lines.isspace():
            self._assembler.add(_flowed(lines), kind=self._kinds[-1])

    def _table(self, table: etree._Element) -> None:
        rows = [row for row in table.iter("tr") if _owner(row) is table]
        for caption in table.iterchildren("caption"):
            self._assembler.add(one_line("".join(_strings(caption))))
        if _is_layout(table, rows):
            for row in rows:
                self._layout_row(row)
            return
        cells = [[_cell(cell) for cell in row.iterchildren("td", "th")] for row in rows]
        cells = [row for row in cells if any(cell.text for cell in row)]
        for text in rendered(grid(cells), header=_stated_header(cells)):
            self._assembler.add(text, kind="table_row")

    def _layout_row(self, row: etree._Element) -> None:
        """Add a row of a table that arranges the page: a name and its value, or parts of it."""
        cells = list(row.iterchildren("td", "th"))
        if len(cells) > 1 and not any(_is_part(cell) for cell in cells):
            texts = [_cell(cell).text for cell in cells]
            named = len(cells) == 2 and cells[0].tag == "th"  # noqa: PLR2004 - name and value
            text = render(texts[1:], texts[:1]) if named and texts[1] else render(texts)
            self._assembler.add(text, kind="table_row")
            return
        pruned = self._prune
        self._prune = pruned and not any(cell.tag == "th" for cell in cells)  # a list of links
        for cell in cells:
            self._element(cell)
        self._prune = pruned


def _flowed(text: str) -> str:
    """Text as a browser flows it: source line breaks are blanks; those of <br> stay.

    Both look alike here, for a page that breaks its lines by <br> loses little if they flow.
    """
    return one_line(text)


def _strings(element: etree._Element) -> Iterator[str]:
    for inner in element.iter():
        if inner.tag == "br":
            yield "\n"
        elif isinstance(inner.tag, str) and inner.tag not in {"script", "style"} and inner.text:
            yield inner.text
        if inner is not element and inner.tail:
            yield inner.tail


def _owner(row: etree._Element) -> etree._Element | None:
    return next(row.iterancestors("table"), None)


def _is_layout(table: etree._Element, rows: list[etree._Element]) -> bool:
    """Tell whether a table only arranges the page."""
    if (
        table.get("role") == "presentation"
        or next(table.iterdescendants("table"), None) is not None
    ):
        return True
    widths = [sum(1 for _ in row.iterchildren("td", "th")) for row in rows]
    if max(widths, default=0) < 2:  # noqa: PLR2004 - one column
        return True
    cells = [cell for row in rows for cell in row.iterchildren("td", "th")]
    return any(_is_part(cell) for cell in cells)


def _is_part(cell: etree._Element) -> bool:
    """Tell whether a cell holds a part of the page and not a value."""
    if next(cell.iterdescendants("table", "h1", "h2", "h3", "pre"), None) is not None:
        return True
    return sum(map(len, cell.itertext())) > _LAYOUT_CHARS


def _cell(element: etree._Element) -> Cell:
    return Cell(
        one_line(" ".join(_lines(element))),
        n_columns=_span(element, "colspan"),
        n_rows=_span(element, "rowspan"),
        is_header=element.tag == "th",
    )


def _lines(element: etree._Element) -> Iterator[str]:
    """Text of a cell, cut at the borders of its blocks but not of its inline elements."""
    gathered = [element.text or ""]
    for inner in element:
        if isinstance(inner.tag, str) and inner.tag not in {"script", "style"}:
            text = " ".join(_lines(inner))
            gathered.append(text if inner.tag in _INLINE else f"\n{text}\n")
        gathered.append(inner.tail or "")
    yield "".join(gathered)


def _span(element: etree._Element, name: str) -> int:
    value = (element.get(name) or "1").strip()
    return min(int(value), 1000) if value.isdigit() and value.isascii() and int(value) > 0 else 1


def _stated_header(rows: list[list[Cell]]) -> int | None:
    """The first row if it is all header cells and wide, with a row of values after it."""
    for position, row in enumerate(rows[:2]):
        if (
            len(row) > 1
            and all(cell.is_header or not cell.text for cell in row)
            and rows[position + 1 :]
        ):
            return position
    return None
