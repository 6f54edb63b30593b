"""Tells which paths changed, once they have been quiet for a moment."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from watchfiles import watch

from retrieval.errors import Unavailable

# An editor saves in several steps, a copy arrives in pieces: a path is due when it has been
# quiet for this long, or changing for so long that it is not to be waited for.
_QUIET_S = 0.5
_PATIENCE_S = 30.0
_STEP_MS = 50
_START_S = 60.0


@dataclass(slots=True)
class _Restless:
    first_s: float
    last_s: float


class Settling:
    """Paths that change, until they have settled; pure but for the clock it is given."""

    def __init__(self) -> None:
        self._restless: dict[str, _Restless] = {}

    def note(self, paths: Iterable[str], *, now_s: float) -> None:
        """These changed just now."""
        for path in paths:
            self._restless.setdefault(path, _Restless(now_s, now_s)).last_s = now_s

    def take_due(self, *, now_s: float) -> list[str]:
        """Those that have settled, which are forgotten here."""
        due = [
            path
            for path, each in self._restless.items()
            if now_s - each.last_s >= _QUIET_S or now_s - each.first_s >= _PATIENCE_S
        ]
        for path in due:
            del self._restless[path]
        return due


class Events:
    """What changes under some folders from now on; a context manager that ends it."""

    def __init__(self, roots: Sequence[str], *, stop: threading.Event) -> None:
        """Begin to watch; when this returns, no change is missed any more.

        Args:
            roots: folders, watched with all below, and files, watched by their folder, since
                editors put a new file in place of the old.
            stop: ends the watching.

        Raises:
            Unavailable: the operating system cannot watch so much.
        """
        self._found: queue.SimpleQueue[set[str] | Exception] = queue.SimpleQueue()
        self._settling = Settling()
        self._stop = stop
        self._threads: list[threading.Thread] = []
        folders = [root for root in roots if os.path.isdir(root)]  # noqa: PTH112
        parents = {os.path.dirname(root) for root in roots if root not in folders}  # noqa: PTH120
        try:
            self._start(folders, recursive=True)
            self._start(sorted(parents), recursive=False)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Set `stop`, and wait until the threads have ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def take_due(self) -> list[str]:
        """Paths that changed and have settled since the last call.

        Raises:
            Unavailable: watching ended, such as when a folder cannot be watched any more.
        """
        now_s = time.monotonic()
        while not self._found.empty():
            found = self._found.get()
            if isinstance(found, Exception):
                raise _cannot_watch(found)
            self._settling.note(found, now_s=now_s)
        return self._settling.take_due(now_s=now_s)

    def _start(self, paths: Sequence[str], *, recursive: bool) -> None:
        if not paths:
            return
        is_ready: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        thread = threading.Thread(
            target=self._watch,
            args=(paths, is_ready),
            kwargs={"recursive": recursive},
            name="sourcebook-watch",
            daemon=True,
        )
        thread.start()
        self._threads.append(thread)
        error = is_ready.get(timeout=_START_S)
        if error is not None:
            raise _cannot_watch(error)

    def _watch(
        self,
        paths: Sequence[str],
        is_ready: queue.SimpleQueue[Exception | None],
        *,
        recursive: bool,
    ) -> None:
        is_started = False
        changes = watch(
            *paths,
            watch_filter=None,
            step=_STEP_MS,
            debounce=_STEP_MS * 4,
            rust_timeout=_STEP_MS * 4,
            yield_on_timeout=True,  # the first answer says that watching has begun
            stop_event=self._stop,
            raise_interrupt=False,
            recursive=recursive,
        )
        try:
            for found in changes:
                if not is_started:
                    is_started = True
                    is_ready.put(None)
                if found:
                    self._found.put({path for _, path in found})
        except Exception as error:  # noqa: BLE001 - whatever the library raises ends the watching
            self._found.put(error)
        if not is_started:
            is_ready.put(self._stop_or_error())

    def _stop_or_error(self) -> Exception | None:
        if self._stop.is_set() or self._found.empty():
            return None
        error = self._found.get()
        return error if isinstance(error, Exception) else None


def _cannot_watch(error: Exception) -> Unavailable:
    return Unavailable(f"Cannot watch for changes: {error}. Use --poll SECONDS instead.")
