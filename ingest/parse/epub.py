"""EPUB: the pages of a book in reading order, under the entries of its table of contents."""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from ingest.clean import one_line
from ingest.parse.archive import Archive, damaged
from ingest.parse.assemble import Assembler
from ingest.parse.html import add_page, decode_page
from ingest.parse.ooxml import attribute, child, descendants
from retrieval.errors import Encrypted, NoText
from retrieval.types import Document

_PROTECTED = (
    "The book is copy-protected, so its text cannot be read. Add a copy without protection."
)
_EMPTY = "There is no text in the book, perhaps only pictures."
_PAGES = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml"})
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")
_HAS_HEADING = re.compile(r"(?i)<h[1-6][\s>]")


def read(path: Path, media_type: str) -> Document:
    """Parse an EPUB file, version 2 or 3.

    Raises:
        NoText, Unreadable, Encrypted, OverBudget: it is blank, damaged, copy-protected, or
            unpacks without end.
    """
    with Archive(path) as archive:
        book = _Book(archive)
        assembler = Assembler(media_type)
        book.add_front(assembler)
        for name in book.pages:
            book.add(name, assembler)
        if not book.has_text:
            raise NoText(_EMPTY)
        return assembler.document(title=book.title or assembler.first_heading)


class _Book:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        name = _package_name(archive)
        package = archive.xml(name)
        if package is None:
            raise damaged("it does not say which pages it has")
        self._folder = posixpath.dirname(name)
        self._items = {attribute(item, "id") or "": item for item in descendants(package, "item")}
        self.title = next((e.text for e in descendants(package, "title") if e.text), None)
        self._authors = [e.text for e in descendants(package, "creator") if e.text]
        self.has_text = False
        self.pages = self._spine(package)
        self._labels = self._contents()
        self._protected = _protected(archive)

    def add_front(self, assembler: Assembler) -> None:
        """Add title and authors, which many books have on a picture only."""
        assembler.heading(self.title or "", level=0)
        assembler.add(", ".join(self._authors))
        assembler.close_sections()

    def add(self, name: str, assembler: Assembler) -> None:
        """Add one page. One without heading goes on with the chapter, unless contents name it."""
        if name in self._protected:
            raise Encrypted(_PROTECTED)
        content = self._archive.read(name)
        if not content:
            return
        text = decode_page(content)
        label = self._labels.get(name)
        if label and not _HAS_HEADING.search(text):
            assembler.close_sections()
            assembler.open_section(label, level=1)
        before = assembler.n_blocks
        add_page(text, assembler, prune=False)
        if assembler.n_blocks > before:
            self.has_text = True
        elif titled := _TITLE.search(text):  # a page of pictures has at least a name
            assembler.add(html.unescape(titled.group(1)))

    def _spine(self, package: etree._Element) -> list[str]:
        """Names of the pages in reading order, without the one that only lists the others."""
        listed = [self._items.get(attribute(entry, "idref") or "")
                  for entry in descendants(package, "itemref")]  # fmt: skip
        pages = [item for item in listed if item is not None]
        pages = pages or [i for i in self._items.values() if attribute(i, "media-type") in _PAGES]
        text = [
            item for item in pages if "nav" not in (attribute(item, "properties") or "").split()
        ]
        return [self._resolved(attribute(item, "href")) for item in text or pages]

    def _contents(self) -> dict[str, str]:
        """Titles of pages by name, from the table of contents of either version."""
        labels: dict[str, str] = {}
        for item in self._items.values():
            name = self._resolved(attribute(item, "href"))
            if attribute(item, "media-type") == "application/x-dtbncx+xml":
                for point in descendants(_or_empty(self._archive.xml(name)), "navPoint"):
                    label = child(point, "navLabel", "text")
                    self._label(labels, name, attribute(child(point, "content"), "src"), label)
            elif "nav" in (attribute(item, "properties") or "").split():
                for link in descendants(_or_empty(self._archive.xml(name)), "a"):
                    self._label(labels, name, attribute(link, "href"), link)
        return labels

    def _label(
        self,
        labels: dict[str, str],
        contents: str,
        target: str | None,
        label: etree._Element | None,
    ) -> None:
        title = "" if label is None else one_line("".join(label.itertext()))
        if title and target:
            labels.setdefault(_joined(posixpath.dirname(contents), target), title)

    def _resolved(self, target: str | None) -> str:
        return _joined(self._folder, target or "")


def _joined(folder: str, target: str) -> str:
    """The member that a link leads to; one that leads out of the book names no member."""
    path = unquote(target.partition("#")[0])
    return posixpath.normpath(posixpath.join(folder, path)).lstrip("/")


def _or_empty(root: etree._Element | None) -> etree._Element:
    return etree.Element("nothing") if root is None else root


def _package_name(archive: Archive) -> str:
    root = archive.xml("META-INF/container.xml")
    named = (
        [] if root is None else [attribute(e, "full-path") for e in descendants(root, "rootfile")]
    )
    found = [name for name in archive.names if name.lower().endswith(".opf")]
    return next((name for name in [*named, *found] if name), "")


def _protected(archive: Archive) -> frozenset[str]:
    """Names of encrypted members; fonts may be, without harm."""
    root = archive.xml("META-INF/encryption.xml")
    uris = (attribute(e, "URI") for e in descendants(_or_empty(root), "CipherReference"))
    return frozenset(unquote(uri) for uri in uris if uri)
