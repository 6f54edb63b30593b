"""Counts of a run, as it goes."""

from __future__ import annotations

from collections import Counter

from api.batch.types import Change, Failure, Kind, OnChange
from retrieval.store.sources import Outcome


class Tally:
    """What became of files so far; each is told to `on_change` when that is known."""

    def __init__(self, on_change: OnChange | None = None) -> None:
        self.counts: Counter[Kind] = Counter()
        self.sums: Counter[str] = Counter()  # bytes, chunks, windows and tokens made searchable
        self.failures: dict[str, Failure] = {}  # by path
        self._on_change = on_change or (lambda _: None)

    def count(self, kind: Kind, path: str, outcome: Outcome | None = None) -> None:
        """Note a file that is searchable, or gone as it should be."""
        self.counts[kind] += 1
        self.failures.pop(path, None)
        n_chunks = 0
        if outcome is not None:
            n_chunks = outcome.n_chunks
            self.sums.update(
                n_bytes=outcome.n_bytes,
                n_chunks=outcome.n_chunks,
                n_windows=outcome.n_windows,
                n_tokens=outcome.n_tokens,
            )
        self._on_change(Change(kind, path, n_chunks))

    def fail(self, failure: Failure) -> None:
        """Note a file that is not searchable as it is now."""
        self.failures[failure.path] = failure
        self._on_change(Change("failed", failure.path, 0, failure.message or failure.code))
