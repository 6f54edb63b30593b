"""The indexes of all vector stores that are in use: opened once, followed to each snapshot."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from retrieval.snapshot import IndexView, Reader, StoreIndex


class Indexes:
    """Derived state of a data folder; deleting its folder costs time, never an answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[str, StoreIndex] = {}

    def view(self, reader: Reader, store_id: str) -> IndexView:
        """The index of a vector store as of the reader's snapshot."""
        raise NotImplementedError

    def save(self) -> None:
        """Write what has changed, so that the next process starts where this one is."""

    def forget(self, store_id: str) -> None:
        """Drop the index of a vector store that was deleted."""
        with self._lock:
            self._open.pop(store_id, None)
        shutil.rmtree(self._folder / store_id, ignore_errors=True)
