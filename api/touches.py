"""Says in the store which vector stores were searched, without making a search wait for a writer.

Others may hold the write lock for as long as the commit of a large file takes. So it is done
beside the search, which waits for it only as long as it takes when nobody writes.
"""

from __future__ import annotations

import contextlib
import threading

from retrieval.errors import NotFound, Unavailable
from retrieval.store import Store

_PATIENCE_S = 0.02  # an undisturbed write takes a few milliseconds


class Touches:
    """Safe for threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._noted: set[str] = set()
        self._thread: threading.Thread | None = None

    def note(self, store_id: str) -> None:
        """Have `last_active_at` of a vector store written; as a rule done on return."""
        with self._lock:
            self._noted.add(store_id)
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._write, name="touch", daemon=True)
            self._thread = thread
            thread.start()
        thread.join(_PATIENCE_S)

    def close(self) -> None:
        """Wait until all is written."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _write(self) -> None:
        while True:
            with self._lock:
                noted, self._noted = self._noted, set()
                if not noted:
                    self._thread = None
                    return
            with contextlib.suppress(Unavailable), self._store.write() as tables:
                for store_id in noted:  # on a full disk, say, the next search tries again
                    with contextlib.suppress(NotFound):  # it may be deleted by now
                        tables.vector_stores.touch(store_id)
