"""Sees what becomes of queued files, at a cost that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from api.batch.tally import Tally
from api.batch.types import Failure, Kind
from retrieval.store import Store, Tables
from retrieval.store.sources import Outcome

# The queue is nearly in order, so what was queued first is done first: looking at the first
# few hundred finds nearly all that is done. Those further back are looked at in turns.
_N_FIRST = 400
_N_IN_TURN = 200


@dataclass(frozen=True, slots=True)
class Queued:
    """A file that was queued, by this run or another."""

    attachment_n: int
    kind: Kind  # what it counts as once it is searchable
    path: str
    n_bytes: int


class Follower:
    """Knows the files that are waited for; settles them in a `Tally`."""

    def __init__(self, store: Store, store_id: str, tally: Tally) -> None:
        self._store = store
        self._store_id = store_id
        self._tally = tally
        self._waiting: dict[int, Queued] = {}  # by attachment, in the order of the queue
        self._turn = 0
        self.n_queued = 0
        self.bytes_queued = 0
        self.bytes_waiting = 0

    @property
    def n_waiting(self) -> int:
        """How many files are still being indexed."""
        return len(self._waiting)

    def follow(self, queued: Queued) -> None:
        """Wait for a file."""
        self.forget(queued.attachment_n)
        self._waiting[queued.attachment_n] = queued
        self.n_queued += 1
        self.bytes_queued += queued.n_bytes
        self.bytes_waiting += queued.n_bytes

    def forget(self, attachment_n: int) -> None:
        """Wait for it no longer, as if it had never been queued."""
        queued = self._waiting.pop(attachment_n, None)
        if queued is not None:
            self.n_queued -= 1
            self.bytes_queued -= queued.n_bytes
            self.bytes_waiting -= queued.n_bytes

    def look(self) -> None:
        """Settle what has become known; as long as much has, look further."""
        while self._waiting:
            n_settled = self._look_once(self._next_numbers())
            if n_settled < _N_FIRST // 2:
                return

    def _next_numbers(self) -> list[int]:
        first = list(islice(self._waiting, _N_FIRST))
        self._turn = self._turn + _N_IN_TURN if self._turn < len(self._waiting) else _N_FIRST
        return first + list(islice(self._waiting, self._turn, self._turn + _N_IN_TURN))

    def _look_once(self, numbers: list[int]) -> int:
        with self._store.read() as view:
            outcomes = view.sources.outcomes(numbers)
            gone = [number for number, outcome in outcomes.items() if outcome is None]
            replaced = self._replaced(view, gone)
        for number, outcome in outcomes.items():
            queued = self._waiting.pop(number)
            self.bytes_waiting -= queued.n_bytes
            if outcome is not None:
                self._settle(queued, outcome)
            elif queued.path not in replaced:
                message = "It was taken out meanwhile."
                self._tally.fail(Failure(queued.path, "cancelled", message))
        for queued in replaced.values():
            self.n_queued -= 1
            self.bytes_queued -= queued.n_bytes
            self.follow(queued)
        return len(outcomes)

    def _settle(self, queued: Queued, outcome: Outcome) -> None:
        if outcome.status == "completed":
            self._tally.count(queued.kind, queued.path, outcome)
        else:
            code = outcome.error_code or outcome.status
            self._tally.fail(Failure(queued.path, code, outcome.error_message or ""))

    def _replaced(self, view: Tables, gone: Iterable[int]) -> dict[str, Queued]:
        """What another process put in place of files that are gone, to be waited for instead."""
        lost = {self._waiting[number].path: self._waiting[number] for number in gone}
        if not lost:
            return {}
        now = view.sources.at(view.vector_stores.number(self._store_id), lost)
        return {
            path: Queued(sources[-1].attachment_n, lost[path].kind, path, lost[path].n_bytes)
            for path, sources in now.items()
        }
