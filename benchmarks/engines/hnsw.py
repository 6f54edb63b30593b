"""hnswlib with a filter callback."""

from __future__ import annotations

from pathlib import Path

import hnswlib
import numpy as np
from numpy.typing import NDArray
from vector_data import Range, VectorSet

_M = 16
_EF_CONSTRUCTION = 200  # the library's default
_EF_SEARCH = 128


class HnswLib:
    """A graph; what the callback refuses is walked through and left out."""

    def build(self, data: VectorSet, folder: Path) -> None:
        """Add all rows."""
        n, dim = data.vectors.shape
        index = hnswlib.Index(space="ip", dim=dim)
        index.init_index(max_elements=n, M=_M, ef_construction=_EF_CONSTRUCTION)
        for start in range(0, n, 100_000):
            rows = np.ascontiguousarray(data.vectors[start : start + 100_000])
            index.add_items(rows, np.arange(start, start + len(rows)))
        index.save_index(str(folder / "index.hnsw"))

    def open(self, data: VectorSet, folder: Path) -> None:
        """Read the index into memory."""
        self._index = hnswlib.Index(space="ip", dim=data.vectors.shape[1])
        self._index.load_index(str(folder / "index.hnsw"))
        self._index.set_ef(_EF_SEARCH)
        self._values = {name: data.of_windows(name) for name in data.attributes}

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """With fewer than k results it raises: then as many as pass are asked for."""
        if wanted is None:
            return np.asarray(self._index.knn_query(query, k=k)[0][0], dtype=np.int64)
        passed = wanted.keeps(self._values[wanted.attribute])
        allowed = set(np.flatnonzero(passed).tolist()).__contains__
        n_asked = min(k, int(passed.sum()))
        while n_asked:
            try:
                found = self._index.knn_query(query, k=n_asked, num_threads=1, filter=allowed)
            except RuntimeError:  # it did not find so many
                n_asked //= 2
            else:
                return np.asarray(found[0][0], dtype=np.int64)
        return np.empty(0, dtype=np.int64)
