"""Records of old PowerPoint files: a head of eight bytes, then content or further records."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_HEAD_BYTES = 8
_CONTAINER = 0xF  # in the lowest four bits of the head


class Record(NamedTuple):
    """A record's kind and where its content stands in the stream."""

    kind: int
    instance: int
    is_container: bool
    start: int
    end: int


def record_at(content: bytes, at: int) -> Record:
    """Return the record whose head stands at `at`; it ends with the stream at the latest.

    Raises:
        struct.error: there is no room for a head.
    """
    first, kind, size = struct.unpack_from("<HHI", content, at)
    start = at + _HEAD_BYTES
    is_container = first & 0xF == _CONTAINER
    return Record(kind, first >> 4, is_container, start, min(start + size, len(content)))


def children(content: bytes, record: Record) -> Iterator[Record]:
    """Yield the records inside a container, in order; a cut one ends with its container."""
    at = record.start
    while at + _HEAD_BYTES <= record.end:
        inner = record_at(content, at)
        yield inner._replace(end=min(inner.end, record.end))
        at = max(inner.end, at + _HEAD_BYTES)
