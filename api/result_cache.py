"""Results of the latest searches, so that the same request at the same state costs a look-up.

A result is kept under all that it follows from: the vector store, the number of its newest commit,
its model, the calibration of its scores, the reranker and the whole request. A commit of any kind,
deletes and attribute updates among them, raises the number, so what was found before it is never
looked up again and soon drops out. Whether the store exists, has expired or may be read by the
caller is asked before, each time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from retrieval.queries import Query, SearchResult

_MAX_BYTES = 16 << 20
_HIT_BYTES = 1000  # what a hit takes beside its text, roughly
_MAX_SHARE = 8  # one result takes at most this part of the room


class ResultCache:
    """The latest results, bounded in number and bytes. Safe for threads."""

    def __init__(self, n_kept: int, *, max_bytes: int = _MAX_BYTES) -> None:
        """`n_kept` is how many results are kept; 0 keeps none."""
        self._n_kept = n_kept
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[SearchResult, int]] = OrderedDict()
        self._n_bytes = 0

    def get(self, key: str) -> SearchResult | None:
        """The result under a key of `key_of`, if it is still kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: str, result: SearchResult) -> None:
        """Keep a result, and drop those used longest ago."""
        n_bytes = _n_bytes(key, result)
        if not self._n_kept or n_bytes > self._max_bytes // _MAX_SHARE:
            return
        with self._lock:
            _, before = self._kept.pop(key, (None, 0))
            self._kept[key] = (result, n_bytes)
            self._n_bytes += n_bytes - before
            while len(self._kept) > self._n_kept or self._n_bytes > self._max_bytes:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._n_bytes -= dropped


def key_of(query: Query, *, store_id: str, seq: int, made_by: object) -> str:
    """What stands for a search.

    Written out rather than hashed as values: to Python, true equals 1, to a filter never.

    Args:
        query: the whole request.
        store_id: of the vector store.
        seq: of its newest commit in the snapshot that is searched.
        made_by: model, calibration and reranker; written out they must tell each from others.
    """
    return repr((store_id, seq, made_by, query))


def _n_bytes(key: str, result: SearchResult) -> int:
    return len(key) + sum(_HIT_BYTES + 2 * len(hit.text) for hit in result.hits)
