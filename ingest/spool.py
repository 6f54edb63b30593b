"""Chunks of a long file, on disk between their making and their commit.

They are made before the transaction begins, since making them takes long and others wait for the
write lock; and a book has more of them than should be in memory.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from retrieval.types import Chunk, Place


class ChunkSpool:
    """Chunks in a temporary file that nobody else sees; gone when it is closed."""

    def __init__(self, chunks: Iterable[Chunk], folder: Path) -> None:
        """Write all of `chunks` into a file in `folder`."""
        self._length = 0
        self._file = tempfile.TemporaryFile("w+", dir=folder, encoding="utf-8")  # noqa: SIM115
        for chunk in chunks:
            self._file.write(json.dumps(_plain(chunk)) + "\n")
            self._length += 1

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Chunk]:
        self._file.seek(0)
        return map(_chunk, self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def _plain(chunk: Chunk) -> list[object]:
    return [
        chunk.ordinal,
        chunk.first_window,
        chunk.n_windows,
        chunk.start_char,
        chunk.end_char,
        chunk.n_tokens,
        chunk.place.as_dict(),
        chunk.heading_path,
    ]


def _chunk(line: str) -> Chunk:
    ordinal, first_window, n_windows, start, end, n_tokens, place, headings = json.loads(line)
    return Chunk(
        ordinal, first_window, n_windows, start, end, n_tokens, Place(**place), tuple(headings)
    )
