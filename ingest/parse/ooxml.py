"""Open XML packages: a zip of XML parts that point to each other.

Read with zipfile and lxml, by local names: the strict and the transitional dialect differ only
in namespaces, and files of other programs leave out parts that a stricter reader insists on.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from lxml import etree

from retrieval.errors import OverBudget, Unreadable

# More than any honest office file unpacks to; a bomb stops here before it fills memory.
_MAX_PART_BYTES = 512 << 20
_DAMAGED = "The file is damaged: {0}. Open it in the program it was made with and save it anew."


def local(element: etree._Element) -> str:
    """Return an element's name without its namespace; "" for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: etree._Element | None, name: str) -> str | None:
    """Return the attribute called `name` in whatever namespace."""
    if element is None:
        return None
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return None


def child(element: etree._Element | None, *names: str) -> etree._Element | None:
    """Return the first child along a path of local names, or None."""
    for name in names:
        if element is None:
            return None
        element = next((inner for inner in element if local(inner) == name), None)
    return element


def descendants(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """Yield all elements called `name` below `element`, in document order."""
    yield from element.iter(f"{{*}}{name}")


class Package:
    """An opened Open XML file. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise Unreadable(_DAMAGED.format("its zip container cannot be opened")) from error
        self._names = {name.lower(): name for name in self._zip.namelist()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._zip.close()

    def part(self, name: str) -> etree._Element | None:
        """Return the root of an XML part; None if there is no such part or it is no XML.

        Raises:
            Unreadable: its bytes are damaged.
            OverBudget: it unpacks to more than any honest part.
        """
        stored = self._names.get(name.lstrip("/").lower())
        if stored is None:
            return None
        if self._zip.getinfo(stored).file_size > _MAX_PART_BYTES:
            raise OverBudget("bytes unpacked", limit=_MAX_PART_BYTES)
        try:
            content = self._zip.read(stored)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError,
                RuntimeError) as error:  # fmt: skip
            raise Unreadable(_DAMAGED.format(f"its part {stored} cannot be unpacked")) from error
        return etree.fromstring(content, _parser()) if content.strip() else None

    def main_part(self, *, kind: str, usual: str) -> tuple[str, etree._Element]:
        """Return name and root of the part that the package is about.

        Args:
            kind: how its relationship type ends, such as ``officeDocument``.
            usual: its name where relationships are missing.

        Raises:
            Unreadable: there is none.
        """
        names = [target for _, target in self.related("", kind=kind)]
        for name in [*names, usual]:
            root = self.part(name)
            if root is not None:
                return name, root
        raise Unreadable(_DAMAGED.format(f"its main part {usual} is missing or broken"))

    def related(self, name: str, *, kind: str) -> list[tuple[str, str]]:
        """Return (id, part name) of what part `name` points to by relationships of `kind`."""
        folder, base = posixpath.split(name)
        root = self.part(posixpath.join(folder, "_rels", f"{base}.rels"))
        if root is None:
            return []
        found = []
        for relationship in root:
            target = attribute(relationship, "Target") or ""
            internal = attribute(relationship, "TargetMode") != "External"
            if internal and (attribute(relationship, "Type") or "").endswith("/" + kind):
                whole = target if target.startswith("/") else posixpath.join(folder, target)
                found.append(
                    (attribute(relationship, "Id") or "", posixpath.normpath(whole).lstrip("/"))
                )
        return found

    def title(self) -> str | None:
        """Return the title in the package's properties."""
        for _, name in self.related("", kind="core-properties"):
            root = self.part(name)
            if root is not None:
                return next((title.text for title in descendants(root, "title")), None)
        return None


def _parser() -> etree.XMLParser:
    # Entities are never needed in Open XML; expanding them is how a small file becomes large.
    return etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=True)
