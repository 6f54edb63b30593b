"""numpy: the allowed rows times the query, which is what everyone can write in three lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from vector_data import Range, VectorSet


class Numpy:
    """Exact."""

    def build(self, data: VectorSet, folder: Path) -> None:
        """Nothing to build."""

    def open(self, data: VectorSet, _folder: Path) -> None:
        """Keep the rows in memory, and the attributes window by window."""
        self._rows = np.array(data.vectors)
        self._values = {name: data.of_windows(name) for name in data.attributes}

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """The rows that pass are copied out where they are fewer."""
        if wanted is None:
            return _best(self._rows @ query, k)
        passed = np.flatnonzero(wanted.keeps(self._values[wanted.attribute]))
        return passed[_best(self._rows[passed] @ query, k)]


def _best(sims: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    if len(sims) <= k:
        return np.arange(len(sims))
    return np.argpartition(sims, -k)[-k:]
