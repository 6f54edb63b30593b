"""The nearest windows: the best by their codes, read again; or all of them by their rows.

Codes give estimates whose error is known, so a search knows when it has read enough: once the
k-th product among the rows read stands clear of every estimate that was left, by so much that a
window left out would have to be an outlier among its kind. Where it does not, more rows are read,
and in the end all that are allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval import packed
from retrieval.codes import Codes
from retrieval.plan import Plan
from retrieval.rows import products
from retrieval.segment import Segment
from retrieval.view import Allowed, View

# How many errors of an estimate (standard deviations) the k-th product must stand above the best
# estimate left out. Of queries over real embeddings that did, the k nearest were found to 0.9959
# (k = 10) up to 0.9996 (k = 128); see decision 0020.
_CLEAR = 3.0
_READ_EACH = 3  # rows read for each window wanted, at first
_READ_LEAST = 100
_DEEPER = 4
_ROUNDS = 2  # by codes, then by rows
# Below this share, going from row to row is faster than passing over those that are not allowed.
_SKIP_SHARE = 0.25

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
    for _ in range(_ROUNDS if any(coded) else 0):
        if n_read > _SKIP_SHARE * plan.n_allowed:
            break
        estimated = _Estimated.of(coded, allowed, query, n=n_read)
        near = _joined(plain, estimated.read(view, query), k=k, outcome=f"{n_read} by codes")
        if near.cut - estimated.left >= _CLEAR * estimated.error:
            return near
        n_read *= _DEEPER
    if not any(coded):
        return _joined(plain, [_NOTHING] * len(plain), k=k, outcome="all by rows")
    rest = [
        _scanned(mask, query, k=k, kept=view.keeps_rows) if codes else _NOTHING
        for codes, mask in zip(coded, allowed, strict=True)
    ]
    outcome = f"{n_read // _DEEPER} by codes did not stand clear, so all by rows"
    return _joined(plain, rest, k=k, outcome=outcome)


@dataclass(frozen=True, slots=True, eq=False)
class _Estimated:
    """The windows with the best estimates over all segments."""

    windows: Sequence[NDArray[np.int64]]  # by segment; ascending, as they are read
    left: float  # no window left out is estimated higher; -inf if none is
    error: float  # standard deviation of exact less estimated product

    @classmethod
    def of(
        cls,
        coded: Sequence[Codes | None],
        allowed: Sequence[Allowed],
        query: NDArray[np.float32],
        *,
        n: int,
    ) -> _Estimated:
        found = [
            _estimates(codes, mask, query, n=n) if codes else _NOTHING
            for codes, mask in zip(coded, allowed, strict=True)
        ]
        estimates = np.concatenate([each for _, each in found])
        floor, left = -np.inf, -np.inf
        if len(estimates) > n:
            floor = left = float(np.partition(estimates, -n)[-n])
        elif full := [each[-1] for _, each in found if len(each) == n]:
            left = float(max(full))
        kept = [np.sort(windows[each >= floor]) for windows, each in found]
        return cls(kept, left, max(codes.error for codes in coded if codes))

    def read(self, view: View, query: NDArray[np.float32]) -> list[Found]:
        """With their exact products."""
        rows = [live.segment.vectors for live in view.segments]
        return [
            (windows, products(each, windows, query, kept=view.keeps_rows))
            if len(windows)
            else _NOTHING
            for each, windows in zip(rows, self.windows, strict=True)
        ]


def _estimates(codes: Codes, mask: Allowed, query: NDArray[np.float32], *, n: int) -> Found:
    if mask.is_all:
        return codes.nearest(query, k=n)
    return codes.nearest(query, k=n, bits=mask.bits, lists=mask.lists)


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
    if not kept:
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
