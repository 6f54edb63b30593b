"""Takes out what expires also when nobody asks for it, so that its bytes do not stay on disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from retrieval.errors import Unavailable

# Nothing that has expired is ever seen, however rarely this runs; it only frees what it used.
INTERVAL_S = 30.0

logger = logging.getLogger("sourcebook.sweeper")


class Sweeper:
    """A thread that calls `sweep` now and every `interval_s`, until closed."""

    def __init__(self, sweep: Callable[[], None], *, interval_s: float = INTERVAL_S) -> None:
        self._sweep = sweep
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sourcebook-sweeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the current sweep."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._sweep()
            except Unavailable:  # another process holds the lock; the next round is soon
                logger.warning("store_busy")
            except Exception:  # the outermost handler of the thread
                logger.exception("sweep_failed")
            self._stop.wait(self._interval_s)
