"""Exact products with rows of segments, read so that mapped files do not fill our memory."""

from __future__ import annotations

import os
import threading
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval import packed
from retrieval.errors import CorruptStore
from retrieval.types import Vectors

# Rows of a vector store this large altogether are read where they are mapped, and stay: 174,000
# windows of 384 dimensions. Those of larger ones are read from the file: a row takes a microsecond,
# where mapping the 16 pages around it and letting them go again takes four; see decision 0020.
KEPT_BYTES = 256 << 20
_BUFFER_BYTES = 1 << 20  # for each thread; so much is still in the processor's cache when used


def products(
    vectors: Vectors, windows: NDArray[np.int64], vector: NDArray[np.float32], *, kept: bool
) -> NDArray[np.float32]:
    """The product of `vector` with some rows, one by one: (n,).

    Each is the same to the last bit whatever is asked beside it, which a product of matrices
    would not promise; so scores depend on neither the plan nor the segment.

    Args:
        vectors: (n_w, dim), contiguous rows.
        windows: (n,) rows; best ascending.
        vector: (dim,), contiguous.
        kept: whether mapped rows may stay in memory.
    """
    windows = np.ascontiguousarray(windows, dtype=np.int64)
    place = None if kept else packed.place(vectors)
    if place is None:
        return _products(vectors, windows, vector)
    buffer, found = _buffer(vectors.shape[1]), np.empty(len(windows), dtype=np.float32)
    for start in range(0, len(windows), len(buffer)):
        wanted = windows[start : start + len(buffer)]
        _read(wanted, place, buffer)
        own = np.arange(len(wanted))
        found[start : start + len(wanted)] = _products(buffer, own, vector)
    return found


def taken(rows: NDArray[Any], numbers: NDArray[np.int64], *, kept: bool) -> NDArray[Any]:
    """Some rows of an array of a segment: (n, …).

    Args:
        rows: (n_w, …), contiguous rows.
        numbers: (n,) which.
        kept: whether mapped rows may stay in memory.
    """
    place = None if kept else packed.place(rows)
    if place is None:
        return rows[numbers]
    found = np.empty((len(numbers), *rows.shape[1:]), dtype=rows.dtype)
    if len(numbers):
        _read(numbers, place, found)
    return found


def _products(
    rows: Vectors, numbers: NDArray[np.int64], vector: NDArray[np.float32]
) -> NDArray[np.float32]:
    found = np.empty(len(numbers), dtype=np.float32)
    if len(numbers):
        faiss.omp_set_num_threads(1)  # of this thread: waking others costs more than the work
        faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]
            faiss.swig_ptr(found),
            faiss.swig_ptr(vector),
            faiss.swig_ptr(rows),
            faiss.swig_ptr(numbers),
            rows.shape[1],
            1,
            len(numbers),
        )
    return found


def _read(windows: NDArray[np.int64], place: tuple[int, int], buffer: NDArray[Any]) -> None:
    """Put rows of an open file into the buffer, those that stand together in one go."""
    handle, offset = place
    n_bytes = buffer.strides[0]
    into = buffer.reshape(-1).view(np.uint8).data
    starts = np.flatnonzero(np.diff(windows, prepend=-2) != 1)
    ends = np.append(starts[1:], len(windows)) * n_bytes
    firsts = windows[starts] * n_bytes + offset
    runs = zip(firsts.tolist(), (starts * n_bytes).tolist(), ends.tolist(), strict=True)
    for first, start, end in runs:
        n_read = os.preadv(handle, (into[start:end],), first)
        if n_read != end - start:  # cut short while it was open
            raise CorruptStore("rows", expected=f"{end - start} bytes", found=f"{n_read}")


class _Buffers(threading.local):
    """One for each thread and length of vectors."""

    def __init__(self) -> None:
        self.by_dim: dict[int, Vectors] = {}


_BUFFERS = _Buffers()


def _buffer(dim: int) -> Vectors:
    """(n, dim), which the next call in this thread writes over."""
    found = _BUFFERS.by_dim.get(dim)
    if found is None:
        n_rows = max(1, _BUFFER_BYTES // (4 * dim))
        found = _BUFFERS.by_dim[dim] = np.empty((n_rows, dim), dtype=np.float32)
    return found
