"""The indexes of all vector stores that are in use: opened once, followed to each snapshot."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import mmap
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from retrieval import packed
from retrieval.errors import StoreBusy
from retrieval.plan import DEFAULT, Tuning
from retrieval.snapshot import Reader, StoreIndex
from retrieval.view import View

logger = logging.getLogger("sourcebook.indexes")

# An index that nobody asked for so long is closed; opening it again takes a third of a second for
# a million windows, see decision 0020.
IDLE_S = 600.0


# Pages of files that searches of large vector stores may have mapped before they are let go: at a
# million windows 96 bytes a window. They stay in the system's cache.
_MAPPED_BYTES = 96 << 20
_STATM = Path("/proc/self/statm")


class Indexes:
    """Derived state of a data folder; deleting its folder costs time, never an answer."""

    def __init__(self, folder: Path, *, tuning: Tuning = DEFAULT) -> None:
        self._folder = folder
        self._tuning = tuning
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._open: dict[str, StoreIndex] = {}
        self._saved_seq: dict[str, int] = {}
        self._used_at: dict[str, float] = {}  # by the monotonic clock, in seconds
        self._mapped_before = _mapped_bytes()  # when pages were last let go

    def view(self, reader: Reader, store_id: str, *, model_id: str) -> View:
        """The index of a vector store as of the reader's snapshot.

        Raises:
            StoreBusy: the index has moved on since that snapshot; take a new one.
        """
        self._used_at[store_id] = time.monotonic()
        index = self._open.get(store_id)
        if index is None or index.model_id != model_id:
            index = self._opened(reader, store_id, model_id)
        view = index.catch_up(reader)
        if not view.keeps_rows:
            self._spare_memory(view)
        return view

    def _spare_memory(self, view: View) -> None:
        """Let the files of a large vector store go where many of their pages are mapped by now.

        Threads that read there at the time map them again.
        """
        mapped = _mapped_bytes()
        if mapped - self._mapped_before > _MAPPED_BYTES:
            for live in view.segments:
                packed.let_go(live.segment.vectors)
            mapped = _mapped_bytes()
            self._mapped_before = mapped
        self._mapped_before = min(self._mapped_before, mapped)

    def save(self) -> None:
        """Write what has changed, so that the next process starts where this one is."""
        for store_id, index in list(self._open.items()):
            seq = index.view().seq
            if self._saved_seq.get(store_id) != seq and self._save(store_id, index):
                self._saved_seq[store_id] = seq

    def tend(self, *, idle_s: float = IDLE_S) -> None:
        """Make codes that are missing, and close what is not used, so that its memory is free.

        What an index held that was not written yet is written first; a search opens it again.
        """
        for store_id, index in list(self._open.items()):
            is_idle = time.monotonic() - self._used_at.get(store_id, 0.0) > idle_s
            seq = index.view().seq
            if index.needs_codes or (is_idle and self._saved_seq.get(store_id) != seq):
                if not self._save(store_id, index):
                    continue  # another process is at it, or the disk is full
                self._saved_seq[store_id] = seq
            if is_idle:
                with self._lock:
                    self._open.pop(store_id, None)
                    self._saved_seq.pop(store_id, None)

    def forget(self, store_id: str) -> None:
        """Drop the index of a vector store that was deleted."""
        with self._lock:
            self._open.pop(store_id, None)
            self._saved_seq.pop(store_id, None)
            self._used_at.pop(store_id, None)
        shutil.rmtree(self._folder / store_id, ignore_errors=True)

    def _opened(self, reader: Reader, store_id: str, model_id: str) -> StoreIndex:
        """Open it once, however many searches ask; other vector stores do not wait for it."""
        with self._lock:
            gate = self._opening.setdefault(store_id, threading.Lock())
        with gate:
            found = self._open.get(store_id)
            if found is None or found.model_id != model_id:
                if found is not None and found.view().seq > reader.seq(store_id):
                    # A snapshot from before the vector store got another model.
                    raise StoreBusy("The vector store got another model.", retry_after_s=0.0)
                index = StoreIndex.open(
                    self._folder / store_id,
                    reader,
                    vector_store_id=store_id,
                    model_id=model_id,
                    tuning=self._tuning,
                )
                with self._lock:
                    self._open[store_id] = index
            return self._open[store_id]

    def _save(self, store_id: str, index: StoreIndex) -> bool:
        """Save unless another process is at it; a snapshot that fails is only slower."""
        folder = self._folder / store_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _exclusive(folder / "lock") as ours:
                if ours:
                    index.save(folder)
                return ours
        except OSError as error:
            logger.warning("index_not_saved", extra={"store": store_id, "error": str(error)})
            return False


def _mapped_bytes() -> int:
    """Pages of files that this process has mapped; 0 where the system does not tell."""
    try:
        shared = int(_STATM.read_text(encoding="ascii").split()[2])
    except OSError:
        return 0
    return shared * mmap.PAGESIZE


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[bool]:
    """Whether this process alone holds the lock file."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
