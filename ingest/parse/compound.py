"""Compound files, the containers of old Office and of Outlook ([MS-CFB]), read with olefile."""

from __future__ import annotations

from pathlib import Path

from olefile import OleFileIO  # type: ignore[import-untyped]

from retrieval.errors import Unreadable

__all__ = ["OleFileIO", "open_compound", "stream"]

_DAMAGED = "The file is damaged: {0}. Open it in the program it was made with and save it anew."
_LIBRARY_ERRORS = (OSError, ValueError, IndexError, TypeError, KeyError, AttributeError)


def open_compound(path: Path) -> OleFileIO:
    """Open a compound file; use it as a context manager.

    Raises:
        Unreadable: it is damaged.
    """
    try:
        return OleFileIO(str(path))
    except _LIBRARY_ERRORS as error:
        raise Unreadable(_DAMAGED.format("its container cannot be opened")) from error


def stream(file: OleFileIO, name: str) -> bytes | None:
    """Return a stream's bytes, None if there is no such stream.

    Raises:
        Unreadable: it is damaged.
    """
    try:
        if not file.exists(name):
            return None
        with file.openstream(name) as content:
            return bytes(content.read())
    except _LIBRARY_ERRORS as error:
        raise Unreadable(_DAMAGED.format(f"its part {name} cannot be read")) from error
