"""FAISS used plainly: flat, HNSW and IVF indexes with a bitmap selector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from vector_data import Range, VectorSet

_M = 16
_EF_CONSTRUCTION = 100
_EF_SEARCH = 128
_LISTS_FOR = 4  # lists: so many times the root of the number of vectors
_PROBED = 32


class Flat:
    """Exact scan under the selector."""

    file = "flat.faiss"

    def build(self, data: VectorSet, folder: Path) -> None:
        """Add all rows."""
        index = self.make(data)
        for start in range(0, len(data.vectors), 100_000):
            index.add(np.ascontiguousarray(data.vectors[start : start + 100_000]))
        faiss.write_index(index, str(folder / self.file))

    def open(self, data: VectorSet, folder: Path) -> None:
        """Read the index into memory."""
        self._index = faiss.read_index(str(folder / self.file))
        self._values = {name: data.of_windows(name) for name in data.attributes}

    def search(
        self, query: NDArray[np.float32], wanted: Range | None, *, k: int
    ) -> NDArray[np.int64]:
        """Mask, selector, search."""
        selector = None
        if wanted is not None:
            passed = wanted.keeps(self._values[wanted.attribute])
            bits = np.packbits(passed, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)
        _, found = self._index.search(query[None], k, params=self.parameters(selector))
        return np.asarray(found[0][found[0] >= 0])

    def make(self, data: VectorSet) -> Any:
        """An index that is ready to take rows."""
        return faiss.IndexFlatIP(data.vectors.shape[1])

    def parameters(self, selector: Any) -> Any:
        """Of one search."""
        return faiss.SearchParameters(sel=selector)


class Hnsw(Flat):
    """A graph."""

    file = "hnsw.faiss"

    def make(self, data: VectorSet) -> Any:
        """See `Flat`."""
        index = faiss.IndexHNSWFlat(data.vectors.shape[1], _M, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = _EF_CONSTRUCTION
        return index

    def parameters(self, selector: Any) -> Any:
        """See `Flat`."""
        return faiss.SearchParametersHNSW(sel=selector, efSearch=_EF_SEARCH)


class Ivf(Flat):
    """Lists around centres, the nearest of which are scanned."""

    file = "ivf.faiss"

    def make(self, data: VectorSet) -> Any:
        """See `Flat`."""
        n, dim = data.vectors.shape
        n_lists = int(_LISTS_FOR * n**0.5)
        centres = faiss.IndexFlatIP(dim)
        index = faiss.IndexIVFFlat(centres, dim, n_lists, faiss.METRIC_INNER_PRODUCT)
        index.own_fields = False
        self._centres = centres
        index.cp.niter = 10
        chosen = np.random.default_rng(1).permutation(n)[: 40 * n_lists]
        index.train(np.ascontiguousarray(data.vectors[np.sort(chosen)]))
        return index

    def parameters(self, selector: Any) -> Any:
        """See `Flat`."""
        return faiss.SearchParametersIVF(sel=selector, nprobe=_PROBED)
