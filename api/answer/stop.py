"""Tells work in another thread that nobody waits for it any more."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Stopped(Exception):  # not a FileSearchError: nobody is left to be told
    """The work was given up, on request."""


class Stop:
    """A flag that can also wake what blocks: set once, never cleared.

    >>> stop = Stop()
    >>> stop.on_set(lambda: print("woken"))
    >>> stop.set()
    woken
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._callbacks: list[Callable[[], None]] = []

    def set(self) -> None:
        """Give up; what was registered runs in this thread."""
        with self._lock:
            self._set = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def is_set(self) -> bool:
        """Whether the work was given up."""
        return self._set

    def check(self) -> None:
        """Raise `Stopped` if the work was given up; call it between steps."""
        if self._set:
            raise Stopped

    def on_set(self, callback: Callable[[], None]) -> None:
        """Run `callback` once it is set; at once if it is already."""
        with self._lock:
            if not self._set:
                self._callbacks.append(callback)
                return
        callback()
