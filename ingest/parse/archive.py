"""A zip whose size is known before anything in it is read.

Office files and books are zips. What a bomb unpacks to stands in its list of members, and zipfile
gives no member more bytes than stated there, so adding up the list is enough to refuse it.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

from lxml import etree

from retrieval.errors import OverBudget, Unreadable

_MAX_MEMBERS = 100_000
_MAX_BYTES = 1 << 30  # of all members together; more than any honest office file unpacks to
_MAX_MEMBER_BYTES = 512 << 20
# Deflate reaches 1032; a sheet of equal cells some 200. Small files may do as they like.
_MAX_RATIO = 300
_SMALL_BYTES = 128 << 20
_IS_ENCRYPTED = 0x1  # bit 0 of a member's general purpose flags (APPNOTE.TXT, 4.4.4)
_DAMAGED = "The file is damaged: {0}. Open it in the program it was made with and save it anew."
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError,
    ValueError, KeyError,
)  # fmt: skip


def damaged(what: str) -> Unreadable:
    """Return the error for a package in which `what` is wrong."""
    return Unreadable(_DAMAGED.format(what))


class Archive:
    """An opened zip within limits; names of members without regard to case. A context manager."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except _ZIP_ERRORS as error:
            raise damaged("its zip container cannot be opened") from error
        try:
            _check(self._zip.infolist(), path.stat().st_size)
        except OverBudget:
            self._zip.close()
            raise
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

    @property
    def names(self) -> list[str]:
        """Names of all members."""
        return list(self._names.values())

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a member, None if there is no such member.

        Raises:
            Unreadable: they are damaged, or encrypted.
        """
        stored = self._names.get(name.lstrip("/").lower())
        if stored is None:
            return None
        try:
            return self._zip.read(stored)
        except _ZIP_ERRORS as error:
            raise damaged(f"its part {stored} cannot be unpacked") from error

    def xml(self, name: str) -> etree._Element | None:
        """Return the root of an XML member; None if there is none, or no element in it.

        Raises:
            Unreadable: its bytes are damaged.
        """
        content = self.read(name)
        return etree.fromstring(content, xml_parser()) if content and content.strip() else None

    def is_encrypted(self) -> bool:
        """Tell whether any member needs a password."""
        return any(member.flag_bits & _IS_ENCRYPTED for member in self._zip.infolist())


def check(path: Path) -> None:
    """Refuse a zip that unpacks to too much, before a library opens it by itself.

    Raises:
        OverBudget, Unreadable: it does; it is no zip.
    """
    Archive(path).__exit__(None, None, None)


def xml_parser() -> etree.XMLParser:
    """Return a parser of XML inside packages: it opens nothing, and expands nothing.

    Entities are never needed there; expanding them is how a small file becomes large.
    """
    return etree.XMLParser(
        recover=True, resolve_entities=False, load_dtd=False, no_network=True, huge_tree=True
    )


def _check(members: list[zipfile.ZipInfo], n_packed: int) -> None:
    if len(members) > _MAX_MEMBERS:
        raise OverBudget("files in one package", limit=_MAX_MEMBERS)
    if max((member.file_size for member in members), default=0) > _MAX_MEMBER_BYTES:
        raise OverBudget("bytes unpacked from one part", limit=_MAX_MEMBER_BYTES)
    n_bytes = sum(member.file_size for member in members)
    if n_bytes > _MAX_BYTES:
        raise OverBudget("bytes unpacked", limit=_MAX_BYTES)
    if n_bytes > _SMALL_BYTES and n_bytes > _MAX_RATIO * n_packed:
        raise OverBudget("times the packed size", limit=_MAX_RATIO)
