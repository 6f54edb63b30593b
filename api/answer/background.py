"""Responses that are being written in this process: to be followed, cancelled, awaited."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from api.answer.alive import Alive
from api.answer.events import Event
from api.answer.stop import Stop, Stopped

if TYPE_CHECKING:
    from pathlib import Path

    from api.answer.respond import Run

log = logging.getLogger(__name__)

MAX_RUNNING = 8  # responses in the background at a time; the others are `queued`
_CANCEL_S = 10.0  # how long a cancelled response may take to end
_SLOT_S = 0.2  # a response without a slot looks whether it is still wanted
_LOOK_S = 1.0  # a follower looks whether it is still wanted


class Running:
    """A response that a thread of its own writes; any number may follow it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._ended = False

    def drain(self) -> None:
        """Write it to its end; for the thread that does the work."""
        try:
            with closing(self.run.events()) as made:
                for event in made:
                    with self._changed:
                        self._events.append(event)
                        self._changed.notify_all()
        except Stopped:
            pass
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def follow(self, *, after: int = -1, stop: Stop) -> Iterator[Event]:
        """Events past number `after`, as they come, until the end or `stop`."""
        place = after + 1
        while not stop.is_set():
            with self._changed:
                if len(self._events) <= place and not self._ended:
                    self._changed.wait(_LOOK_S)
                new, ended = self._events[place:], self._ended
            yield from new
            place += len(new)
            if ended and not new:
                return

    def cancel(self, *, interrupted: bool = False) -> None:
        """Stop the work, and wait until it has ended; `interrupted` tells why if we are."""
        self.run.stop(interrupted=interrupted)
        with self._changed:
            self._changed.wait_for(lambda: self._ended, _CANCEL_S)


class Runner:
    """All that runs in the background of one process. Safe for threads."""

    def __init__(self, locks: Path) -> None:
        self._alive = Alive(locks)
        self.owner = self._alive.name
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}
        self._slots = threading.Semaphore(MAX_RUNNING)

    def start(self, run: Run, *, done: Callable[[], None] = lambda: None) -> Running:
        """Write `run` in a thread of its own; the response is `queued` until it has a slot."""
        running = Running(run)
        with self._lock:
            self._running[run.id] = running

        def work() -> None:
            try:
                self._drain(running)
            except Exception:  # the outermost handler of the thread
                log.exception("background_failed", extra={"response_id": run.id})
            finally:
                with self._lock:
                    self._running.pop(run.id, None)
                done()

        threading.Thread(target=work, name="sourcebook-response", daemon=True).start()
        return running

    def _drain(self, running: Running) -> None:
        """Write it when there is a slot, or at once if that only means to end it."""
        has_slot = False
        while not has_slot and not running.run.is_stopped:
            has_slot = self._slots.acquire(timeout=_SLOT_S)
        try:
            running.drain()
        finally:
            if has_slot:
                self._slots.release()

    def find(self, response_id: str) -> Running | None:
        """The response of this id, if it is being written here in the background."""
        with self._lock:
            return self._running.get(response_id)

    def is_dead(self, owner: str) -> bool:
        """Whether the process of this name is gone."""
        return self._alive.is_dead(owner)

    def close(self) -> None:
        """Stop all work: what is under way ends as `failed`, with what was written."""
        with self._lock:
            running = list(self._running.values())
        for each in running:
            each.cancel(interrupted=True)
        self._alive.close()
