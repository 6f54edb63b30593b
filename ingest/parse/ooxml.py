"""Open XML packages: a zip of XML parts that point to each other.

Read by local names: the strict and the transitional dialect differ only
in namespaces, and files of other programs leave out parts that a stricter reader insists on.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from lxml import etree

from ingest.parse.archive import Archive, damaged


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


class Package(Archive):
    """An opened Open XML file. Use it as a context manager."""

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
            root = self.xml(name)
            if root is not None:
                return name, root
        raise damaged(f"its main part {usual} is missing or broken")

    def related(self, name: str, *, kind: str) -> list[tuple[str, str]]:
        """Return (id, part name) of what part `name` points to by relationships of `kind`."""
        folder, base = posixpath.split(name)
        root = self.xml(posixpath.join(folder, "_rels", f"{base}.rels"))
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
            root = self.xml(name)
            if root is not None:
                return next((title.text for title in descendants(root, "title")), None)
        return None
