"""Which files a vector store has: one row a state of a file, with what hits show of it.

Rows are only ever added; a file whose attributes change gets a new row, and `retrieval.snapshot`
points to the newest. Filters run over the columns, hits read the records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.attributes import Columns, FrozenColumns
from retrieval.filters import effective
from retrieval.postings import offsets
from retrieval.types import FileChange


class Roster:
    """Rows of files. One thread adds; any number read rows that they know of."""

    def __init__(self) -> None:
        self._columns = Columns()
        self._saved = np.empty(0, dtype=np.uint8)  # JSON records end to end, maybe mapped
        self._saved_start = np.zeros(1, dtype=np.int64)
        self._added: list[FileChange] = []

    @property
    def n_rows(self) -> int:
        """How many rows there are, dead ones included."""
        return self._columns.n_rows

    def add(self, change: FileChange) -> int:
        """Add a file's newest state; returns its row."""
        seen = effective(change.attributes, filename=change.filename, file_id=change.file_id)
        self._added.append(change)  # first, so that a row that filters see has its record
        return self._columns.append(seen)

    def record(self, row: int) -> FileChange:
        """The state that was added as this row."""
        n_saved = len(self._saved_start) - 1
        if row >= n_saved:
            return self._added[row - n_saved]
        start, end = self._saved_start[row : row + 2]
        return FileChange(*json.loads(self._saved[start:end].tobytes()))

    def columns(self) -> FrozenColumns:
        """Typed columns over the rows so far."""
        return self._columns.freeze()

    def save(self) -> tuple[dict[str, NDArray[Any]], list[tuple[str, str]]]:
        """Named arrays and the list of columns, for `load`."""
        arrays, names = self._columns.save()
        added = [_record(change) for change in self._added]
        lengths = [np.diff(self._saved_start), np.array([len(raw) for raw in added], np.int64)]
        joined = np.frombuffer(b"".join(added), dtype=np.uint8)
        arrays["records"] = np.concatenate([self._saved, joined])
        arrays["records.start"] = offsets(np.concatenate(lengths))
        return arrays, names

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], names: Sequence[Sequence[str]]) -> Roster:
        """What `save` gave, over arrays that may be mapped from a file."""
        roster = cls()
        roster._saved = arrays["records"]
        roster._saved_start = arrays["records.start"]
        roster._columns = Columns.load(arrays, names, n_rows=len(arrays["records.start"]) - 1)
        return roster


def _record(change: FileChange) -> bytes:
    fields = [
        change.seq,
        change.file_n,
        change.file_id,
        change.filename,
        dict(change.attributes),
        change.content_seq,
        change.deleted,
    ]
    return json.dumps(fields).encode()
