"""A Document as bytes and back, for the way out of the parser's process.

JSON and not pickle: unpickling runs what the sender wishes, and the sender is the process that
read a stranger's file.
"""

from __future__ import annotations

import json
from typing import Any

from retrieval.boxes import PageBoxes
from retrieval.types import Block, Document, Place


def pack(document: Document) -> bytes:
    """Return `document` as bytes; `unpack` gives an equal one back."""
    places: dict[Place, int] = {}
    paths: dict[tuple[str, ...], int] = {}
    blocks = [
        (
            block.kind,
            block.start_char,
            block.end_char,
            places.setdefault(block.place, len(places)),
            paths.setdefault(block.heading_path, len(paths)),
            *([block.lines.as_dict()] if block.lines else []),
        )
        for block in document.blocks
    ]
    plain = {
        "media_type": document.media_type,
        "text": document.text,
        "title": document.title,
        "n_pages": document.n_pages,
        "unread_pages": document.unread_pages,
        "places": [place.as_dict() for place in places],
        "paths": list(paths),
        "blocks": blocks,
    }
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def unpack(packed: bytes) -> Document:
    """Return the document that `pack` was given.

    Raises:
        ValueError: the bytes are not a packed document.
    """
    try:
        return _document(json.loads(packed))
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not a packed document: {error!r}") from error


def _document(plain: dict[str, Any]) -> Document:
    places = [Place(**fields) for fields in plain["places"]]
    paths = [tuple(path) for path in plain["paths"]]
    return Document(
        media_type=plain["media_type"],
        text=plain["text"],
        blocks=tuple(
            Block(kind, start, end, places[place], paths[path], *map(PageBoxes.from_dict, lines))
            for kind, start, end, place, path, *lines in plain["blocks"]
        ),
        title=plain["title"],
        n_pages=plain["n_pages"],
        unread_pages=tuple(plain["unread_pages"]),
    )
