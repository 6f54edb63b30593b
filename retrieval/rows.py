"""Exact products with rows of segments, read so that mapped files do not fill our memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval import packed
from retrieval.types import Vectors

# Rows of a vector store this large altogether stay mapped once they were read: 174,000 windows of
# 384 dimensions. Of larger ones the pages go back to the system's cache whenever so much was read.
KEPT_BYTES = 256 << 20
_LET_GO_EVERY_BYTES = 48 << 20
_FAULT_BYTES = 64 << 10  # what the system maps around a page that is read


def products(
    vectors: Vectors, windows: NDArray[np.int64], vector: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The product of `vector` with some rows, one by one: (n,).

    Each is the same to the last bit whatever is asked beside it, which a product of matrices
    would not promise; so scores depend on neither the plan nor the segment.

    Args:
        vectors: (n_w, dim), contiguous rows.
        windows: (n,) rows.
        vector: (dim,), contiguous.
    """
    found = np.empty(len(windows), dtype=np.float32)
    if len(windows):
        windows = np.ascontiguousarray(windows, dtype=np.int64)
        faiss.omp_set_num_threads(1)  # of this thread: waking others costs more than the work
        faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]
            faiss.swig_ptr(found),
            faiss.swig_ptr(vector),
            faiss.swig_ptr(vectors),
            faiss.swig_ptr(windows),
            vectors.shape[1],
            1,
            len(windows),
        )
    return found


class Reads:
    """Counts what was read of rows too many to stay, and lets them go in time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_bytes = 0

    def note(self, rows: Iterable[Vectors], *, n_runs: int, n_rows: int) -> None:
        """Note that `n_rows` were read, in `n_runs` places, of segments with these rows."""
        rows = list(rows)
        if sum(each.nbytes for each in rows) <= KEPT_BYTES or not rows:
            return
        n_bytes = n_runs * _FAULT_BYTES + n_rows * rows[0].strides[0]
        with self._lock:
            self._n_bytes += n_bytes
            if self._n_bytes < _LET_GO_EVERY_BYTES:
                return
            self._n_bytes = 0
        for each in rows:
            packed.let_go(each, alone=True)


READS = Reads()
