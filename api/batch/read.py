"""Reads files that may have changed: their hash, and their bytes into the blob folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader

from api.batch.looks import noted_mtime
from api.batch.types import Failure, FoundFile
from retrieval.errors import InvalidRequest, RequestError, TooLarge, Unavailable
from retrieval.store.blobs import Blobs, Staged
from retrieval.store.sources import Source
from retrieval.types import Attributes, Blob

_N_THREADS = 8  # 256 small files made durable: 710 ms by one thread, 50 to 100 ms by 4 to 16


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file, and the attributes that it is to have."""

    file: FoundFile
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read; its bytes are staged unless the store has them at this path."""

    wanted: Wanted
    sha256: str
    n_bytes: int
    mtime_ns: int | None
    staged: Staged | None


class Reader:
    """Threads that read files. Close it."""

    def __init__(self, blobs: Blobs, *, limit_bytes: int) -> None:
        self._blobs = blobs
        self._limit_bytes = limit_bytes
        self._pool = ThreadPoolExecutor(_N_THREADS, "sourcebook-reader")

    def close(self) -> None:
        """Leave what has not been begun."""
        self._pool.shutdown(cancel_futures=True)

    @contextlib.contextmanager
    def read_all(
        self, wanted: Sequence[Wanted], known: Mapping[str, Sequence[Source]]
    ) -> Iterator[tuple[list[Read], list[Failure]]]:
        """Read files; durable on entry. Staged bytes that nobody took are gone afterwards.

        Args:
            wanted: files to read.
            known: what stands under their paths: bytes that are there already are not copied.

        Raises:
            StoreUnwritable: the disk is full.
        """
        futures = [
            self._pool.submit(self._read, each, known.get(each.file.path, ())) for each in wanted
        ]
        reads: list[Read] = []
        failures: list[Failure] = []
        try:
            unavailable: Unavailable | None = None
            for each, future in zip(wanted, futures, strict=True):
                try:
                    reads.append(future.result())
                except (RequestError, OSError) as error:
                    failures.append(_refused(each.file.path, error))
                except Unavailable as error:
                    unavailable = error
            if unavailable is not None:
                raise unavailable
            yield reads, failures
        finally:
            for future in futures:
                _discard(future)

    def _read(self, wanted: Wanted, known: Sequence[Source]) -> Read:
        file = wanted.file
        if file.n_bytes > self._limit_bytes:
            raise TooLarge("file", limit=self._limit_bytes, got=file.n_bytes)
        read_at_ns = time.time_ns()
        with _open(file.location) as content:
            before = os.fstat(content.fileno())
            _check(before)
            blob, staged = self._hash_or_stage(content, {each.sha256 for each in known})
            after = os.fstat(content.fileno())
        mtime_ns = noted_mtime(before, after, read_at_ns=read_at_ns)
        return Read(wanted, blob.sha256, blob.n_bytes, mtime_ns, staged)

    def _hash_or_stage(
        self, content: BufferedReader, known: set[str]
    ) -> tuple[Blob, Staged | None]:
        if known:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            if sha256 in known:
                return Blob(sha256, content.tell()), None
            content.seek(0)
        staged = self._blobs.stage(content, limit_bytes=self._limit_bytes)
        return staged.blob, staged


def _discard(future: Future[Read]) -> None:
    if future.cancel() or future.exception() is not None:
        return
    staged = future.result().staged
    if staged is not None:
        staged.discard()


def _open(location: str) -> BufferedReader:
    """For reading; a pipe that took the place of a file does not block."""
    return open(os.open(location, os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: PTH123


def _check(look: os.stat_result) -> None:
    if not stat.S_ISREG(look.st_mode):
        raise OSError("It is no regular file any more")
    if look.st_size == 0:
        raise InvalidRequest("The file is empty: it has 0 bytes.", param="file", code=None)


def _refused(path: str, error: RequestError | OSError) -> Failure:
    if isinstance(error, TooLarge):
        return Failure(path, "too_large", str(error))
    if isinstance(error, OSError):
        return Failure(path, "unreadable", f"{error.strerror or error}.")
    return Failure(path, "invalid_file", str(error))
