"""sqlite-vec: a virtual table of vectors with metadata columns, through apsw."""

from __future__ import annotations

from pathlib import Path

import apsw
import numpy as np
import sqlite_vec
from numpy.typing import NDArray
from vector_data import Range, VectorSet

_BATCH = 10_000


class SqliteVec:
    """Exact scan."""

    def build(self, data: VectorSet, folder: Path) -> None:
        """One row a window."""
        path = folder / "vectors.db"
        path.unlink(missing_ok=True)
        connection = _connected(path)
        names = list(data.attributes)
        columns = "".join(f", {name} float" for name in names)
        dim = data.vectors.shape[1]
        connection.execute(
            f"CREATE VIRTUAL TABLE w USING vec0(v float[{dim}] distance_metric=cosine{columns})"
        )
        values = np.stack([data.of_windows(name) for name in names], axis=1)
        marks = ", ".join("?" * (len(names) + 2))
        insert = f"INSERT INTO w(rowid, v, {', '.join(names)}) VALUES ({marks})"  # noqa: S608 - our names
        for start in range(0, len(data.vectors), _BATCH):
            rows = data.vectors[start : start + _BATCH]
            with connection:
                connection.executemany(
                    insert,
                    (
                        (start + i, row.tobytes(), *values[start + i].tolist())
                        for i, row in enumerate(rows)
                    ),
                )
        connection.close()

    def open(self, _data: VectorSet, folder: Path) -> None:
        """Open the database; its pages come from the system's cache."""
        self._connection = _connected(folder / "vectors.db")

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """The filter stands in WHERE."""
        sql, given = "SELECT rowid FROM w WHERE v MATCH ? AND k = ?", [query.tobytes(), k]
        if wanted is not None:
            sql += f" AND {wanted.attribute} >= ? AND {wanted.attribute} < ?"
            given += [wanted.low, wanted.high]
        return np.array([row for (row,) in self._connection.execute(sql, given)], dtype=np.int64)


def _connected(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.enable_load_extension(True)  # noqa: FBT003 - positional only
    connection.load_extension(sqlite_vec.loadable_path())
    connection.execute("PRAGMA mmap_size = 8589934592")
    return connection
