"""One search on two threads: a helper takes what it can, and nobody waits for one that is busy."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


class Helper:
    """A thread beside those that search. Tasks must release the interpreter lock to gain."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def run(self, tasks: Sequence[Callable[[], _T]]) -> list[_T]:
        """Results in the order of the tasks, done by this thread and, if it is free, the helper."""
        left = deque(range(len(tasks)))
        done: dict[int, _T] = {}

        def work() -> None:
            while left:
                try:
                    number = left.popleft()
                except IndexError:  # the other thread was faster
                    return
                done[number] = tasks[number]()

        beside = self._begun(work)
        try:
            work()
        finally:
            left.clear()  # where a task failed
            if not beside.cancel():
                beside.result()
        return [done[number] for number in range(len(tasks))]

    def _begun(self, work: Callable[[], None]) -> Future[None]:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="sourcebook-scan")
            return self._pool.submit(work)


HELPER = Helper()
