"""Who may read and write when: snapshots for readers, one writer at a time."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from retrieval.errors import CorruptStore, StoreBusy, StoreUnwritable
from retrieval.faults import point
from retrieval.store.blobs import Blobs
from retrieval.store.migrations import migrate
from retrieval.store.tables import Tables

DATABASE = "sourcebook.db"
# Another process may hold the lock for as long as the commit of a very large file takes.
BUSY_TIMEOUT_S = 60.0
_UNWRITABLE = ("disk is full", "disk I/O error", "readonly", "unable to open")  # SQLite's words
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power cut
    "PRAGMA foreign_keys = ON",
    # What is mapped counts as ours, once for every connection; the rest is read as well.
    "PRAGMA mmap_size = 67108864",
    "PRAGMA temp_store = MEMORY",
)


class Store:
    """An open data folder; safe for threads, and for other processes on the same folder.

    `read()` gives a snapshot, `write()` a transaction. Writers take turns: threads by a
    lock, processes by SQLite's. Readers never wait for writers, but for one case: the first
    to come after something has expired takes it out.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnwritable(f"Cannot make the data folder {folder}: {error}.") from error
        self.folder = folder
        self.blobs = Blobs(folder / "blobs")
        self.clock = clock
        self._path = folder / DATABASE
        self._write_lock = threading.Lock()
        self._writing_thread: int | None = None
        self._pool_lock = threading.Lock()
        self._lost_lock = threading.Lock()
        self._lost_files: set[str] = set()
        self._idle_readers: list[sqlite3.Connection] = []
        self._closed = False
        self._writer = self._connect()
        with _translated(self._path):
            migrate(self._writer)

    @contextlib.contextmanager
    def read(self) -> Iterator[Tables]:
        """A snapshot in which nothing that has expired is left; else like `snapshot`."""
        with self.snapshot() as view:
            if not view.expiry.due():
                yield view
                return
        self.expire()
        with self.snapshot() as view:
            yield view

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Tables]:
        """The database as it is, unmoved by commits that come meanwhile; never waits."""
        connection = self._borrow_reader()
        try:
            with _translated(self._path):
                connection.execute("BEGIN")
                yield Tables(connection, self.clock)
        finally:
            connection.rollback()
            self._return_reader(connection)

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Tables]:
        """One transaction: durable when the block ends, nothing of it if the block raises.

        What has expired was taken out before it began.

        Args:
            durable: False spares the wait for the disk. It is seen by all at once, and survives
                a crash of the program; a power cut may take it, with nothing that came after.

        Raises:
            StoreBusy: another process held the write lock for `BUSY_TIMEOUT_S`.
        """
        self.expire()
        with self._transaction(durable=durable) as tables:
            yield tables

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool = True) -> Iterator[Tables]:
        with self._write_lock, _translated(self._path):
            self._writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._writer.execute("BEGIN IMMEDIATE")
            self._writing_thread = threading.get_ident()
            try:
                yield Tables(self._writer, self.clock)
                self._writer.commit()  # on a full disk it raises, and leaves all to roll back
            except BaseException:
                self._writer.rollback()
                raise
            finally:
                self._writing_thread = None

    def expire(self) -> None:
        """Take out what has expired by now; durable on return, with its bytes gone.

        Within a transaction of the same thread nothing happens: that one began clean.
        """
        if self._writing_thread == threading.get_ident():
            return
        with self.snapshot() as view:
            if not view.expiry.due():
                return
        with self._transaction() as tables:
            expired = tables.expiry.carry_out()
        point("expired")
        with self._lost_lock:
            self._lost_files |= expired.store_ids
        self.release_blobs(expired.hashes)

    def take_stores_that_lost_files(self) -> set[str]:
        """Ids of vector stores from which `expire` took files since this was last asked."""
        with self._lost_lock:
            taken, self._lost_files = self._lost_files, set()
        return taken

    def release_blob(self, sha256: str) -> None:
        """Delete a blob unless some file or part still names it.

        Call it after the commit that removed the row: a crash in between leaves an unused
        blob, which `sweep` finds; the other order would leave a row without its bytes. The
        check is made under the write lock, where no upload can add a row.
        """
        self.release_blobs([sha256])

    def release_blobs(self, hashes: Iterable[str]) -> None:
        """`release_blob` for many, in one transaction; none for none."""
        hashes = set(hashes)
        if not hashes:
            return
        with self._transaction() as tables:
            for sha256 in hashes:
                if not tables.uses_blob(sha256):
                    self.blobs.remove(sha256)

    def sweep(self) -> None:
        """Remove blobs and temporary files that a crash left without an owner."""
        self.blobs.sweep_staging()
        with self.write() as tables:
            for sha256 in self.blobs.names() - tables.used_blobs():
                self.blobs.remove(sha256)
        self.sweep_drafts()

    def sweep_drafts(self) -> None:
        """Drop what was saved ahead for commits that will not come any more."""
        with self.snapshot() as view:
            if not view.drafts.has_dead():
                return
        with self.write() as tables:
            tables.drafts.sweep()

    def close(self) -> None:
        """Close every connection; the folder can be opened again at once."""
        with self._write_lock, self._pool_lock:
            self._closed = True
            for connection in [self._writer, *self._idle_readers]:
                connection.close()
            self._idle_readers.clear()

    def _borrow_reader(self) -> sqlite3.Connection:
        with self._pool_lock:
            if self._idle_readers:
                return self._idle_readers.pop()
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _return_reader(self, connection: sqlite3.Connection) -> None:
        with self._pool_lock:
            if not self._closed:
                self._idle_readers.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        with _translated(self._path):
            connection = sqlite3.connect(
                self._path,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,  # transactions are begun and ended by this file alone
                check_same_thread=False,  # lent to one thread at a time by the lock or the pool
            )
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        return connection


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise StoreBusy("The data folder is busy with another writer.") from error
        if any(reason in str(error) for reason in _UNWRITABLE):
            raise StoreUnwritable(f"The data folder cannot be written: {error}.") from error
        raise
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise CorruptStore(str(path), expected="a database", found=str(error)) from error
