"""The nearest windows: the best by their codes, read again; or all of them by their rows.

Codes give estimates whose error is known, so a search knows when it has read enough: once the
k-th product among the rows read stands clear of every estimate that was left, by so much that a
window left out would have to be an outlier among its kind. Where it does not, more rows are read,
and in the end all that are allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval import packed
from retrieval.beside import HELPER
from retrieval.codes import Codes
from retrieval.plan import Plan
from retrieval.rows import products
from retrieval.segment import Segment
from retrieval.view import Allowed, View

# How many errors of an estimate (standard deviations) the k-th product must stand above the best
# estimate left out. Of queries over real embeddings that did, the k nearest were found to 0.9959
# (k = 10) up to 0.9996 (k = 128); see decision 0020. More than a page are wanted only to choose
# from, where the last of them matter little.
_CLEAR = 3.0
_CLEAR_OF_MANY = 1.5
_MANY = 100
_READ_EACH = 2  # rows read for each window wanted, at first
_READ_LEAST = 100
_FETCHED_EACH = 4  # estimates for each row read at first: more rows are read without a new scan
_FETCHED_MOST = 4096
_TASK_LISTS = 512  # lists of codes, half a millisecond of work, that a thread takes at a time
_SHARED_LISTS = 1024  # fewer are not worth waking another thread
# Below this share, going from row to row is faster than passing over those that are not allowed.
_SKIP_SHARE = 0.25
_FEW_BYTES = 16 << 20  # rows of small segments stay, as every search reads them

Found = tuple[NDArray[np.int64], NDArray[np.float32]]  # ordinals of windows, their products
_NOTHING: Found = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Windows with their exact products, segment by segment; the k nearest are among them."""

    found: Sequence[Found]
    cut: float  # product of the k-th
    outcome: str  # for explanations


def nearest(
    view: View, allowed: Sequence[Allowed], vector: NDArray[np.float32], *, plan: Plan, k: int
) -> Near:
    """The `k` nearest allowed windows.

    Args:
        view: the vector store.
        allowed: what of each segment may be found.
        vector: (dim,), unit.
        plan: says whether codes may be used.
        k: how many; at least one, and no more than are allowed.
    """
    query = np.ascontiguousarray(vector, dtype=np.float32)
    coded = [
        None if plan.exact or plan.kind == "gather" or not mask.n_windows else live.codes
        for live, mask in zip(view.segments, allowed, strict=True)
    ]
    plain = [
        _NOTHING if codes else _scanned(mask, query, k=k, kept=view.keeps_rows)
        for codes, mask in zip(coded, allowed, strict=True)
    ]
    n_read = max(_READ_LEAST, _READ_EACH * k)
    n_fetched = max(n_read, min(_FETCHED_EACH * n_read, _FETCHED_MOST))
    clear = _CLEAR if k <= _MANY else _CLEAR_OF_MANY
    if any(coded) and n_read <= _SKIP_SHARE * plan.n_allowed:
        estimates = _Estimates.of(coded, allowed, query, n=n_fetched)
        for n in sorted({n_read, n_fetched}):
            some, left = estimates.best(n)
            near = _joined(plain, _read(view, some, query), k=k, outcome=f"{n} rows by codes")
            if near.cut - left >= clear * estimates.error:
                return near
    if not any(coded):
        return _joined(plain, [_NOTHING] * len(plain), k=k, outcome="all by rows")
    rest = [
        _scanned(mask, query, k=k, kept=view.keeps_rows) if codes else _NOTHING
        for codes, mask in zip(coded, allowed, strict=True)
    ]
    return _joined(plain, rest, k=k, outcome="all by rows, as codes left doubt")


@dataclass(frozen=True, slots=True, eq=False)
class _Estimates:
    """The best estimates over all segments; parallel arrays, the best first."""

    segment: NDArray[np.intp]
    window: NDArray[np.int64]
    estimate: NDArray[np.float32]
    left: float  # no window that is missing is estimated higher; -inf if none is
    error: float  # standard deviation of exact less estimated product
    n_segments: int

    @classmethod
    def of(
        cls,
        coded: Sequence[Codes | None],
        allowed: Sequence[Allowed],
        query: NDArray[np.float32],
        *,
        n: int,
    ) -> _Estimates:
        masked = [
            None if mask.is_all or not codes else mask.bits  # before threads would both make it
            for codes, mask in zip(coded, allowed, strict=True)
        ]
        tasks = [
            (i, part, codes)
            for i, (codes, mask) in enumerate(zip(coded, allowed, strict=True))
            if codes
            for part in _parts(codes, mask)
        ]
        found = _carried_out(
            [
                partial(codes.nearest, query, k=n, lists=part, bits=masked[i])
                for i, part, codes in tasks
            ],
            n_lists=sum(len(part) for _, part, _ in tasks),
        )
        estimate = np.concatenate([each for _, each in found])
        segment = np.repeat([i for i, *_ in tasks], [len(each) for _, each in found])
        window = np.concatenate([windows for windows, _ in found])
        best = np.argsort(-estimate, kind="stable")[:n]
        cuts = [float(each[-1]) for _, each in found if len(each) == n]
        error = max(codes.error for codes in coded if codes)
        return cls(
            segment[best],
            window[best],
            estimate[best],
            left=max(cuts, default=-np.inf) if len(estimate) <= n else float(estimate[best[-1]]),
            error=error,
            n_segments=len(coded),
        )

    def best(self, n: int) -> tuple[list[NDArray[np.int64]], float]:
        """The first `n` by segment, as they stand there, and the best estimate left out."""
        left = float(self.estimate[n]) if n < len(self.estimate) else self.left
        segment, window = self.segment[:n], self.window[:n]
        return [np.sort(window[segment == i]) for i in range(self.n_segments)], left


def _parts(codes: Codes, mask: Allowed) -> list[NDArray[np.int64]]:
    """The lists to look through, in parts that are worth a thread."""
    lists = codes.all_lists if mask.is_all else mask.lists
    return [lists[i : i + _TASK_LISTS] for i in range(0, len(lists), _TASK_LISTS)]


def _carried_out(tasks: Sequence[Callable[[], Found]], *, n_lists: int) -> list[Found]:
    if n_lists < _SHARED_LISTS:
        return [task() for task in tasks]
    return HELPER.run(tasks)


def _read(
    view: View, windows: Sequence[NDArray[np.int64]], query: NDArray[np.float32]
) -> list[Found]:
    """Windows by segment with their exact products."""
    return [
        (some, products(live.segment.vectors, some, query, kept=view.keeps_rows))
        if len(some)
        else _NOTHING
        for live, some in zip(view.segments, windows, strict=True)
    ]


def _joined(plain: Sequence[Found], read: Sequence[Found], *, k: int, outcome: str) -> Near:
    found = [a if len(a[0]) else b for a, b in zip(plain, read, strict=True)]
    sims = np.concatenate([each for _, each in found])
    cut = float(np.partition(sims, -k)[-k]) if len(sims) >= k else -np.inf
    return Near(found, cut, outcome)


def _scanned(mask: Allowed, query: NDArray[np.float32], *, k: int, kept: bool) -> Found:
    """The k nearest allowed windows of a segment, or all where that is no more work."""
    segment = mask.segment
    if not mask.n_windows:
        return _NOTHING
    if mask.n_windows <= max(k, _SKIP_SHARE * segment.n_windows):
        windows = mask.windows()
        return windows, products(segment.vectors, windows, query, kept=kept)
    found = _passed_over(segment, mask, query, k=k)
    if not kept and segment.vectors.nbytes > _FEW_BYTES:
        packed.let_go(segment.vectors, alone=True)
    return found


def _passed_over(segment: Segment, mask: Allowed, query: NDArray[np.float32], *, k: int) -> Found:
    sims, windows = np.empty(k, dtype=np.float32), np.empty(k, dtype=np.int64)
    selector = None
    if not mask.is_all:
        selector = faiss.IDSelectorBitmap(len(mask.bits), faiss.swig_ptr(mask.bits))
    faiss.omp_set_num_threads(1)
    faiss.knn_inner_product(
        faiss.swig_ptr(query),
        faiss.swig_ptr(segment.vectors),  # straight from the mapped file
        segment.vectors.shape[1],
        1,
        segment.n_windows,
        k,
        faiss.swig_ptr(sims),
        faiss.swig_ptr(windows),
        selector,
    )
    return windows, sims
