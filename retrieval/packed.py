"""Named arrays in one file, mapped back without copying; the format of every index file.

Layout, little-endian: 8 bytes magic with the format version, 8 bytes header length, 4 bytes
CRC-32 of the header, the header (JSON: meta, and for each array its dtype, shape, place and
CRC-32), then the arrays, each at a multiple of 64 bytes so that vector instructions may read
them aligned. Index files are derived: whoever finds one damaged throws it away.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import tempfile
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

    Every byte is checked once, at memory speed; the pages stay in the system's cache.

    Raises:
        CorruptStore: missing, cut short, or not what was written.
        IncompatibleStore: of another format version.
    """
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise CorruptStore(str(path), expected="an index file", found=str(error)) from error
    header, body = _header(path, data)
    arrays = {name: _array(path, body, name, entry) for name, entry in header["arrays"].items()}
    if len(data) >= _LARGE_BYTES:
        let_go(data)
    return arrays, header["meta"]


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


def _array(path: Path, body: NDArray[np.uint8], name: str, entry: list[Any]) -> NDArray[Any]:
    dtype, shape, start, crc = entry
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = body[start : start + n_bytes]
    if len(raw) != n_bytes or zlib.crc32(raw.data) != crc:
        raise CorruptStore(str(path), expected=f"array {name!r}", found="other bytes")
    array: NDArray[Any] = np.asarray(raw).view(dtype).reshape(shape)
    return array
