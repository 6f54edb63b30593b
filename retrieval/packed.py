"""Named arrays in one file, mapped back without copying; the format of every index file.

Layout, little-endian: 8 bytes magic with the format version, 8 bytes header length, 4 bytes
CRC-32 of the header, the header (JSON: meta, and for each array its dtype, shape, place and
CRC-32), then the arrays, each at a multiple of 64 bytes so that vector instructions may read
them aligned. Index files are derived: whoever finds one damaged throws it away.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import struct
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import CorruptStore, IncompatibleStore

MAGIC = b"SBINDEX"
VERSION = 3  # raise it with every change of this layout or of what the arrays mean
_PREFIX = struct.Struct("<8sQI")
_ALIGN_BYTES = 64
_LARGE_BYTES = 16 << 20
CHECKED = ".checked"  # ends the name of the note that a file was
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # of Linux; elsewhere every opening checks
_ROWS_AT_ONCE = 8192

Arrays = Mapping[str, NDArray[Any]]


def write(path: Path, arrays: Arrays, meta: Mapping[str, Any]) -> None:
    """Put arrays and JSON-able `meta` into `path`, whole or not at all.

    Not synced: after a power cut the file may be damaged, which `read` notices.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as out:
            for piece in _pieces(arrays, meta):
                out.write(piece)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _pieces(arrays: Arrays, meta: Mapping[str, Any]) -> Iterator[bytes | memoryview]:
    buffers = {name: _bytes(np.ascontiguousarray(array)) for name, array in arrays.items()}
    entries: dict[str, tuple[str, list[int], int, int]] = {}
    end = 0
    for name, array in arrays.items():
        start = _aligned(end)
        end = start + len(buffers[name])
        crc = zlib.crc32(buffers[name])
        entries[name] = (array.dtype.str, list(array.shape), start, crc)
    header = json.dumps({"meta": dict(meta), "arrays": entries}).encode()
    yield _PREFIX.pack(MAGIC + bytes([VERSION]), len(header), zlib.crc32(header))
    yield header
    yield bytes(_aligned(_PREFIX.size + len(header)) - _PREFIX.size - len(header))
    end = 0
    for name, (_, _, start, _) in entries.items():
        yield bytes(start - end)
        yield buffers[name]
        end = start + len(buffers[name])


def _bytes(array: NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGN_BYTES) * _ALIGN_BYTES


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read-only arrays mapped from `path`, and the meta that was written with them.

    Every byte is checked once, at memory speed; the pages stay in the system's cache. Of a large
    file that is noted beside it, so that it is done once in the time that the machine is up: what
    a power cut may do to files that were not synced cannot happen later.

    Raises:
        CorruptStore: missing, cut short, or not what was written.
        IncompatibleStore: of another format version.
    """
    try:
        with path.open("rb") as file:
            data = np.memmap(file, dtype=np.uint8, mode="r")
            _keep_open(data, file.fileno())
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise CorruptStore(str(path), expected="an index file", found=str(error)) from error
    header, body = _header(path, data)
    is_large = len(data) >= _LARGE_BYTES
    check = not (is_large and _was_checked(path))
    arrays = {
        name: _array(path, body, name, entry, check=check)
        for name, entry in header["arrays"].items()
    }
    if is_large and check:
        let_go(data)
        note_checked(path)
    return arrays, header["meta"]


def note_checked(path: Path) -> None:
    """Note that a file is what was written, as long as it and the machine stay as they are."""
    state = _state(path)
    if state:
        with contextlib.suppress(OSError):  # then it is checked again
            path.with_name(path.name + CHECKED).write_text(state, encoding="ascii")


def _was_checked(path: Path) -> bool:
    try:
        noted = path.with_name(path.name + CHECKED).read_text(encoding="ascii")
    except (OSError, ValueError):
        return False
    return bool(noted) and noted == _state(path)


def _state(path: Path) -> str:
    """Which bytes a file has, as far as the system tells; empty where it does not."""
    try:
        found, boot = path.stat(), _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return f"{boot} {found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _keep_open(data: NDArray[np.uint8], handle: int) -> None:
    """Let the file be read, not only mapped, for as long as the array lives."""
    kept = os.dup(handle)
    weakref.finalize(data, os.close, kept)
    data.handle = kept  # type: ignore[attr-defined]


def place(array: NDArray[Any]) -> tuple[int, int] | None:
    """Where an array is in an open file: its handle and the offset; None for one in memory."""
    whole: Any = array
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    handle = getattr(whole, "handle", None)
    return None if handle is None else (handle, array.ctypes.data - whole.ctypes.data)


def gathered(
    arrays: Sequence[NDArray[Any]], rows: Sequence[NDArray[np.int64]], *, folder: Path | None
) -> NDArray[Any]:
    """Rows of several arrays of one type and width, one after the other.

    Args:
        arrays: each (n, width).
        rows: of each, which rows.
        folder: where the result is kept in a file without a name while it is in use, so that it
            takes no memory for long; without one, or where it is small, it is in memory.
    """
    shape = (sum(map(len, rows)), *arrays[0].shape[1:])
    dtype = arrays[0].dtype
    if folder is None or dtype.itemsize * int(np.prod(shape)) < _LARGE_BYTES:
        return np.concatenate([array[some] for array, some in zip(arrays, rows, strict=True)])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        made = np.memmap(file, dtype=dtype, mode="w+", shape=shape)
    end = 0
    for array, some in zip(arrays, rows, strict=True):
        for first in range(0, len(some), _ROWS_AT_ONCE):
            block = array[some[first : first + _ROWS_AT_ONCE]]
            made[end : end + len(block)] = block
            end += len(block)
        made.flush()
        let_go(made)
        let_go(array, alone=True)
    return made


def let_go(array: NDArray[Any], *, alone: bool = False) -> None:
    """Count the pages of a mapped file as the system's cache again; reading brings them back.

    Args:
        array: any of those of a file. One that is not of a file is left alone.
        alone: only its own pages, rather than the whole file's.
    """
    whole, base = array, array.base
    while isinstance(base, np.ndarray):
        whole, base = base, base.base
    if not (isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED")):
        return
    if not alone:
        base.madvise(mmap.MADV_DONTNEED)
        return
    start = -(-(array.ctypes.data - whole.ctypes.data) // mmap.PAGESIZE) * mmap.PAGESIZE
    end = array.ctypes.data - whole.ctypes.data + array.nbytes
    if end - start >= mmap.PAGESIZE:
        base.madvise(mmap.MADV_DONTNEED, start, (end - start) // mmap.PAGESIZE * mmap.PAGESIZE)


def _header(path: Path, data: NDArray[np.uint8]) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    if len(data) < _PREFIX.size:
        raise CorruptStore(str(path), expected="a header", found=f"{len(data)} bytes")
    magic, n_bytes, crc = _PREFIX.unpack(data[: _PREFIX.size].tobytes())
    if magic[:-1] != MAGIC:
        raise CorruptStore(str(path), expected=repr(MAGIC), found=repr(magic))
    if magic[-1] != VERSION:
        raise IncompatibleStore(str(path), found=f"version {magic[-1]}", supported=str(VERSION))
    raw = data[_PREFIX.size : _PREFIX.size + n_bytes].tobytes()
    if len(raw) != n_bytes or zlib.crc32(raw) != crc:
        raise CorruptStore(str(path), expected="its header", found="other bytes")
    return json.loads(raw), data[_aligned(_PREFIX.size + n_bytes) :]


def _array(
    path: Path, body: NDArray[np.uint8], name: str, entry: list[Any], *, check: bool
) -> NDArray[Any]:
    dtype, shape, start, crc = entry
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = body[start : start + n_bytes]
    if len(raw) != n_bytes or (check and zlib.crc32(raw.data) != crc):
        raise CorruptStore(str(path), expected=f"array {name!r}", found="other bytes")
    array: NDArray[Any] = np.asarray(raw).view(dtype).reshape(shape)
    return array
