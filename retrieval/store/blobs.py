"""Bytes by hash: staged into a temporary file, then published under their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from retrieval.errors import CorruptStore, StoreUnwritable, TooLarge
from retrieval.faults import point
from retrieval.types import Blob

_PIECE_BYTES = 1 << 20
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
_FEW = 2  # folders of one blob: not worth a thread
_N_WRITERS = 16  # 160 folders: 300 to 590 ms one by one, 24 to 32 ms by 16 (ext4, measured)
_STALE_S = 24 * 3600  # no upload is in the air for a day


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes that are durable in a temporary file but not yet anybody's."""

    blob: Blob
    path: Path

    def discard(self) -> None:
        """Forget them; harmless after `Blobs.publish`."""
        self.path.unlink(missing_ok=True)


class Blobs:
    """A folder of immutable files named by content: `ab/abcdef…`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._staging = folder / "staging"
        self._staging.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the blob is, or would be."""
        return self._folder / sha256[:2] / sha256

    def stage(self, content: Readable, *, limit_bytes: int) -> Staged:
        """Copy a stream to disk; on return its bytes are durable, under no name yet.

        A crash leaves at most a stale temporary file, which `sweep` removes.

        Raises:
            TooLarge: the stream holds more than `limit_bytes`.
            StoreUnwritable: the disk is full.
        """
        handle, name = tempfile.mkstemp(dir=self._staging)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                blob = _copy(content, out, limit_bytes=limit_bytes)
                out.flush()
                os.fsync(out.fileno())
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in _UNWRITABLE:
                message = f"The data folder cannot be written: {error.strerror}."
                raise StoreUnwritable(message) from error
            raise
        return Staged(blob, path)

    def publish(self, staged: Staged) -> None:
        """Give staged bytes their name; durable on return.

        Call it inside the write transaction that adds the row: deletion of unused blobs
        runs in one too, so a blob never vanishes between the check and the row.
        """
        self.publish_all([staged])

    def publish_all(self, staged: Sequence[Staged]) -> None:
        """`publish` many at once: their folders are made durable together, which is far quicker."""
        folders: set[Path] = set()
        for each in staged:
            target = self.path(each.blob.sha256)
            if target.exists():
                each.discard()
                continue
            target.parent.mkdir(exist_ok=True)
            each.path.rename(target)
            folders.add(target.parent)
            point("blob.published")
        if folders:
            _fsync_folders([*folders, self._folder])

    def open(self, sha256: str) -> BinaryIO:
        """The bytes for reading.

        Raises:
            CorruptStore: a row names this blob, but it is not there.
        """
        path = self.path(sha256)
        try:
            return path.open("rb")
        except FileNotFoundError as error:
            raise CorruptStore(str(path), expected="a blob", found="nothing") from error

    def remove(self, sha256: str) -> None:
        """Delete the bytes; no row may name them any more."""
        self.path(sha256).unlink(missing_ok=True)

    def names(self) -> set[str]:
        """Every published hash."""
        return {path.name for path in self._folder.glob("??/*")}

    def sweep_staging(self) -> None:
        """Remove temporary files that a crash left a day ago or earlier."""
        for path in self._staging.iterdir():
            try:
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()
            except FileNotFoundError:
                continue  # another process was quicker


def _copy(content: Readable, out: BinaryIO, *, limit_bytes: int) -> Blob:
    digest = hashlib.sha256()
    n_bytes = 0
    while piece := content.read(_PIECE_BYTES):
        n_bytes += len(piece)
        if n_bytes > limit_bytes:
            raise TooLarge("file", limit=limit_bytes, got=n_bytes)
        digest.update(piece)
        out.write(piece)
    return Blob(digest.hexdigest(), n_bytes)


def _fsync_folders(folders: Sequence[Path]) -> None:
    """Together: the file system writes its journal once for calls that wait at the same time."""
    if len(folders) <= _FEW:
        for folder in folders:
            _fsync_folder(folder)
        return
    with ThreadPoolExecutor(_N_WRITERS) as pool:
        list(pool.map(_fsync_folder, folders))


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
