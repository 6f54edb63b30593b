"""Short codes of a segment's windows, which stand in for its rows while most are ruled out.

Four bits for every two dimensions or so (product quantisation), compared sixteen at a time in
registers (fast-scan). FAISS takes a filter there only for its inverted files, so the windows
stand in an inverted file whose lists are not clusters but runs of ordinals: a search names the
runs that its filter leaves something of, and the filter's bit map is asked inside them. So one
scan serves every share of windows, costs what it reads, and needs no list to be guessed right.

Products from codes are estimates; whoever uses them reads the rows of the best ones again.

Source: André, Kermarrec, Le Scouarnec, Quick ADC, 2019; FAISS, IndexIVFPQFastScan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval import packed
from retrieval.errors import CorruptStore, IncompatibleStore
from retrieval.types import Vectors

# Windows a list. Shorter ones skip more of what a filter rules out, longer ones cost less each:
# over 100,000 windows, 64 take 1.2 ms open, 256 take 0.46, 1,024 take 0.43; see decision 0020.
LIST_WINDOWS = 256
_PACKED_TOGETHER = 32  # windows whose codes are interleaved; a list holds whole such blocks
_VALUES = 16  # of four bits
_TRAIN_WINDOWS = 8192  # 512 for each value: more bring nothing
_TRAIN_ROUNDS = 10
_ENCODED_AT_ONCE = 65536  # windows whose rows are in memory
_CHECKED_WINDOWS = 1024  # rows that errors are estimated from
_CHECKED_QUERIES = 128
# How much worse than its own windows a quantiser may fit those of another segment.
_STILL_FITS = 1.1
_MAX_PARTS = 384  # per window: the codes of longer vectors would outgrow their use
_EXACT_RESERVOIR = 11  # FAISS's number for: list by list, the best kept in a reservoir


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Of one segment. Any number of threads may search."""

    centroids: NDArray[np.float32]  # (parts, 16, dim / parts)
    n_windows: int
    error: float  # standard deviation of exact less estimated product
    own_error: float  # the same over the windows that the quantiser was made from
    _index: faiss.IndexIVFPQFastScan

    @classmethod
    def of(cls, vectors: Vectors, *, like: Codes | None = None) -> Codes | None:
        """Of a segment's rows, by the quantiser of `like` as long as it fits them.

        Args:
            vectors: (n, dim), unit rows.
            like: codes of the same vector store, if there are any.

        Returns:
            None where vectors of this length cannot be cut in parts.
        """
        parts = n_parts(vectors.shape[1])
        if parts is None or not len(vectors):
            return None
        faiss.omp_set_num_threads(1)  # of this thread: the others are for searches
        sample = vectors[_spread(len(vectors), _TRAIN_WINDOWS)]
        checked = sample[_spread(len(sample), _CHECKED_WINDOWS)]
        if like is not None and like.centroids.shape[0] == parts:
            error = _error(_quantiser(like.centroids), checked)
            if error <= _STILL_FITS * like.own_error:
                return cls._encoded(like.centroids, vectors, error, like.own_error)
        centroids = _trained(sample, parts)
        error = _error(_quantiser(centroids), checked)
        return cls._encoded(centroids, vectors, error, error)

    @classmethod
    def _encoded(
        cls, centroids: NDArray[np.float32], vectors: Vectors, error: float, own_error: float
    ) -> Codes:
        flat = _quantiser(centroids)
        for start in range(0, len(vectors), _ENCODED_AT_ONCE):
            flat.add(vectors[start : start + _ENCODED_AT_ONCE])
            packed.let_go(vectors, alone=True)
        interleaved = faiss.rev_swig_ptr(flat.codes.get(), flat.codes.size()).copy()
        return cls._made(centroids, interleaved, len(vectors), error, own_error)

    @classmethod
    def _made(
        cls,
        centroids: NDArray[np.float32],
        interleaved: NDArray[np.uint8],
        n_windows: int,
        error: float,
        own_error: float,
    ) -> Codes:
        index = _index(centroids, interleaved, n_windows)
        return cls(centroids, n_windows, error, own_error, index)

    def nearest(
        self,
        query: NDArray[np.float32],
        *,
        k: int,
        bits: NDArray[np.uint8] | None = None,
        lists: NDArray[np.int64] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The windows with the `k` greatest estimates, fewer where fewer are allowed.

        Args:
            query: (dim,), unit, contiguous.
            k: how many.
            bits: (n + 7) // 8 bytes, lowest bit first: the windows allowed; None allows all.
            lists: those to look through; None for all.

        Returns:
            Ordinals and estimates of their products, the greatest first.
        """
        lists = self.all_lists if lists is None else lists
        params = faiss.SearchParametersIVF()
        params.nprobe = len(lists)
        if bits is not None:
            selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
            params.sel = selector
        none = np.zeros(len(lists), dtype=np.float32)  # distances of centroids, which are no part
        near, windows = np.empty(k, dtype=np.float32), np.empty(k, dtype=np.int64)
        self._index.search_preassigned_c(  # type: ignore[attr-defined]
            1,
            faiss.swig_ptr(query),
            k,
            faiss.swig_ptr(lists),
            faiss.swig_ptr(none),
            faiss.swig_ptr(near),
            faiss.swig_ptr(windows),
            False,  # noqa: FBT003 - FAISS's store_pairs
            params,
        )
        n = int((windows >= 0).sum())
        return windows[:n], near[:n]

    @property
    def all_lists(self) -> NDArray[np.int64]:
        """The numbers of all lists, ascending."""
        return np.arange(self._index.nlist, dtype=np.int64)

    def save(self, path: Path) -> None:
        """Write them into `path`, whole or not at all."""
        meta = {"n_windows": self.n_windows, "error": self.error, "own_error": self.own_error}
        interleaved = np.concatenate([*_lists(self._index)])
        packed.write(path, {"centroids": self.centroids, "interleaved": interleaved}, meta)

    @classmethod
    def open(cls, path: Path, *, n_windows: int, dim: int) -> Codes | None:
        """What was saved for a segment of that shape; None if that is missing or damaged."""
        try:
            arrays, meta = packed.read(path)
            centroids, found = arrays["centroids"], arrays["interleaved"]
            if meta["n_windows"] != n_windows or centroids.shape[0] != n_parts(dim):
                return None
            errors = float(meta["error"]), float(meta["own_error"])
            codes = cls._made(centroids.copy(), found, n_windows, *errors)
        except (CorruptStore, IncompatibleStore, KeyError):
            return None
        return codes


def codes_path(segment: Path) -> Path:
    """The file of a segment's codes, beside the segment's own."""
    return segment.with_suffix(".codes")


def n_parts(dim: int) -> int | None:
    """In how many equal parts vectors are cut: of two dimensions each, of long ones more.

    >>> n_parts(384), n_parts(1536), n_parts(23)
    (192, 384, None)
    """
    fitting = [dim // size for size in range(2, 17) if dim % size == 0]
    return next((parts for parts in fitting if parts <= _MAX_PARTS), None)


def lists_of(first: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lists that hold any window of the runs [first, end), which ascend and are not empty.

    >>> lists_of(np.array([0, 300, 900]), np.array([10, 600, 901])).tolist()
    [0, 1, 2, 3]
    """
    low, high = first // LIST_WINDOWS, (end - 1) // LIST_WINDOWS
    n = int(high[-1]) + 2 if len(high) else 0
    touched = np.bincount(low, minlength=n) - np.bincount(high + 1, minlength=n)
    return np.flatnonzero(np.cumsum(touched)).astype(np.int64, copy=False)


def _spread(n: int, wanted: int) -> NDArray[np.int64]:
    """`wanted` numbers below n, evenly spread; all where there are fewer."""
    return np.unique(np.linspace(0, n - 1, min(n, wanted)).astype(np.int64))


def _trained(sample: Vectors, parts: int) -> NDArray[np.float32]:
    quantiser = faiss.ProductQuantizer(sample.shape[1], parts, 4)
    quantiser.cp.niter = _TRAIN_ROUNDS
    quantiser.cp.min_points_per_centroid = 1  # small stores do not need a warning
    sample = np.ascontiguousarray(sample)
    if len(sample) < _VALUES:
        sample = np.resize(sample, (_VALUES, sample.shape[1]))
    quantiser.train(sample)
    found = faiss.vector_to_array(quantiser.centroids)
    return found.reshape(parts, _VALUES, -1)


def _quantiser(centroids: NDArray[np.float32]) -> faiss.IndexPQFastScan:
    """An empty index of these centroids."""
    parts, _, size = centroids.shape
    flat = faiss.IndexPQFastScan(
        parts * size, parts, 4, faiss.METRIC_INNER_PRODUCT, _PACKED_TOGETHER
    )
    faiss.copy_array_to_vector(np.ascontiguousarray(centroids).reshape(-1), flat.pq.centroids)
    flat.is_trained = True
    return flat


def _error(flat: faiss.IndexPQFastScan, rows: Vectors) -> float:
    """How far estimates stray, with some of the rows as queries."""
    rows = np.ascontiguousarray(rows)
    strayed = rows - flat.sa_decode(flat.sa_encode(rows))
    queries = rows[_spread(len(rows), _CHECKED_QUERIES)]
    return float((queries @ strayed.T).std())


def _index(
    centroids: NDArray[np.float32], interleaved: NDArray[np.uint8], n_windows: int
) -> faiss.IndexIVFPQFastScan:
    """An inverted file that holds packed codes as they are, in runs of `LIST_WINDOWS`."""
    parts, _, size = centroids.shape
    n_lists = -(-n_windows // LIST_WINDOWS)
    unused = faiss.IndexFlatIP(parts * size)  # would find lists by centroids; ours are named
    index = faiss.IndexIVFPQFastScan(
        unused, parts * size, n_lists, parts, 4, faiss.METRIC_INNER_PRODUCT, _PACKED_TOGETHER
    )
    faiss.copy_array_to_vector(np.ascontiguousarray(centroids).reshape(-1), index.pq.centroids)
    index.by_residual, index.is_trained = False, True
    index.implem = _EXACT_RESERVOIR
    lists = faiss.downcast_InvertedLists(index.invlists)  # type: ignore[arg-type]
    ordinals = np.arange(n_windows, dtype=np.int64)
    n_bytes = LIST_WINDOWS * ((parts + 1) // 2)
    for number in range(n_lists):
        own = ordinals[number * LIST_WINDOWS : (number + 1) * LIST_WINDOWS]
        codes = interleaved[number * n_bytes :]
        lists.add_entries(number, len(own), faiss.swig_ptr(own), faiss.swig_ptr(codes))
    index.ntotal = n_windows
    return index


def _lists(index: faiss.IndexIVFPQFastScan) -> Iterator[NDArray[np.uint8]]:
    """The codes of each list as FAISS interleaves them, 32 windows a block."""
    lists = faiss.downcast_InvertedLists(index.invlists)  # type: ignore[arg-type]
    for number in range(index.nlist):
        n_blocks = -(-lists.list_size(number) // _PACKED_TOGETHER)
        n_bytes = n_blocks * _PACKED_TOGETHER * index.code_size
        yield faiss.rev_swig_ptr(lists.get_codes(number), n_bytes)
