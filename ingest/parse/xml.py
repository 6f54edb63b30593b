"""XML: prose as paragraphs under its titles, data as a line a record; names kept, entities read."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from ingest.clean import one_line
from ingest.decode import decode
from ingest.parse import plain
from ingest.parse.assemble import Assembler
from ingest.parse.html import add_page, parse_text
from ingest.parse.ooxml import local
from retrieval.types import BlockKind, Document, Place

_TITLES = frozenset({"title", "head", "heading", "header", "caption"})
_RECORD_CHARS = 2_000  # longer ones are prose in parts, and each part is a block
_NAMED_CHARS = 150  # what is longer says itself what it is about
_PROSE = frozenset({"p", "para", "simpara", "li", "item", "listitem", "text", "td", "th", "entry",
                    "note", "quote", "line", "l", "s", "seg"})  # fmt: skip
_TECHNICAL = frozenset({"id", "class", "style", "space", "lang", "schemaLocation", "xmlns"})
_DECLARED = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
_PROLOG = re.compile(r"\s*<\?xml[^>]*\?>")
_MARKUP = re.compile(
    r"<(?:p|br|div|a|b|i|em|strong|ul|li|img|span|h[1-6])\b[^<>]*>", re.IGNORECASE
)
_EMPTY = "There is no text in the file: its elements are empty."


def read(path: Path, media_type: str) -> Document:
    """Parse an XML file; lines are those of the source. What is no XML is read as plain text.

    Entities that the file defines itself are not expanded: that is how a small file becomes a
    large one. Nothing the file refers to is opened.

    Raises:
        NoText, Unreadable: there is no text in it, or it is not text.
    """
    content = path.read_bytes()
    found = _DECLARED.search(content[:200])
    text = decode(content, declared=found.group(1).decode() if found else None)
    root = _root(text)
    if root is None:
        return plain.read(path, media_type)
    if local(root).lower() == "html":
        return parse_text(text, media_type)
    walk = _Walk(Assembler(media_type))
    try:
        walk.element(root)
    except RecursionError:
        return plain.read(path, media_type)
    return walk.assembler.document(title=walk.title, if_empty=_EMPTY)


def _root(text: str) -> etree._Element | None:
    """The root element, or None if the file is not well-formed."""
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, encoding="utf-8",
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        return etree.fromstring(_PROLOG.sub(_line_ends, text, count=1).encode(), parser)
    except etree.XMLSyntaxError:
        return None


def _line_ends(prolog: re.Match[str]) -> str:
    """What is left of the prolog, which names an encoding the text is no longer in."""
    return "\n" * prolog.group().count("\n")


class _Walk:
    """Goes through the tree once; `depth` gives titles their level."""

    def __init__(self, assembler: Assembler) -> None:
        self.assembler = assembler
        self.title: str | None = None

    def element(self, element: etree._Element, depth: int = 1) -> None:
        """Add an element: a record, a paragraph, or what is inside it."""
        inner = [child for child in element if isinstance(child.tag, str)]
        if not inner or _is_mixed(element):
            self._add(_named(element, _text(element)) if not inner else _text(element), element)
        elif _is_record(element, inner):
            self._add("; ".join(_pairs(element, inner)), element)
        else:
            self._add("; ".join(_attributes(element)), element)
            for position, child in enumerate(inner):
                if position == 0 and local(child).lower() in _TITLES and not len(child):
                    self._heading(child, depth)
                else:
                    self.element(child, depth + 1)

    def _heading(self, element: etree._Element, depth: int) -> None:
        text = one_line(_text(element))
        self.title = self.title or text
        self.assembler.heading(text, level=depth, place=_place(element))

    def _add(self, text: str, element: etree._Element) -> None:
        if _MARKUP.search(text):  # a page inside an element, as in feeds
            add_page(text, self.assembler, prune=False)
        else:
            kind: BlockKind = (
                "paragraph" if _is_mixed(element) or not len(element) else "table_row"
            )
            self.assembler.add(one_line(text), kind=kind, place=_place(element))


def _is_mixed(element: etree._Element) -> bool:
    """Tell whether there is text between the elements inside, as in prose."""
    tails = (child.tail for child in element)
    return len(element) > 0 and any(text and text.strip() for text in (element.text, *tails))


def _is_record(element: etree._Element, inner: list[etree._Element]) -> bool:
    """Tell whether the elements inside are values with names, short enough to be read together."""
    if any(len(child) for child in inner) or _MARKUP.search("".join(element.itertext())):
        return False
    return sum(len(text) for text in element.itertext()) <= _RECORD_CHARS


def _pairs(element: etree._Element, inner: list[etree._Element]) -> Iterator[str]:
    yield from _attributes(element)
    for child in inner:
        text = _named(child, _text(child))
        if text:
            yield text


def _attributes(element: etree._Element) -> Iterator[str]:
    for key, value in element.attrib.items():
        name = str(key).rpartition("}")[2]
        if name not in _TECHNICAL and one_line(str(value)):
            yield f"{name}: {one_line(str(value))}"


def _named(element: etree._Element, text: str) -> str:
    """``name: text (attribute: value)``; the name alone says nothing."""
    text = one_line(text) if not _MARKUP.search(text) else text
    attributes = "; ".join(_attributes(element))
    if _MARKUP.search(text) or len(text) > _NAMED_CHARS or (text and local(element) in _PROSE):
        return text
    if text and attributes:
        return f"{local(element)}: {text} ({attributes})"
    both = text or attributes
    return f"{local(element)}: {both}" if both else ""


def _text(element: etree._Element) -> str:
    return "".join(_strings(element))


def _strings(element: etree._Element) -> Iterator[str]:
    yield element.text or "" if isinstance(element.tag, str) else html.unescape(element.text or "")
    for child in element:
        yield from _strings(child)
        yield child.tail or ""


def _place(element: etree._Element) -> Place:
    line = element.sourceline
    return Place(first_line=line, last_line=line) if line else Place()
