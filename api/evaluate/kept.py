"""A data folder for judged sets, kept between runs, with vectors that outlive their index.

Whoever measures changes how text is cut, indexed and ranked, and indexes anew each time. Vectors
take nearly all of that time, so those of equal text stay, in a file of their own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from api.engine import Engine
from api.settings import Settings
from retrieval.embedder import Embedder
from retrieval.types import Vectors

_KEYS_AT_ONCE = 500  # below SQLite's limit on parameters
_WAIT_S = 60.0  # for another run on the same folder


class KeptVectors:
    """An embedder that remembers the vectors of texts, and those of queries only if asked to.

    Else queries are embedded anew each time: their time is part of what is measured.
    """

    def __init__(self, embedder: Embedder, path: Path, *, queries: bool = False) -> None:
        self._inner = embedder
        self._keeps_queries = queries
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, timeout=_WAIT_S, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)"
        )

    @property
    def id(self) -> str:
        """See `Embedder.id`."""
        return self._inner.id

    @property
    def dim(self) -> int:
        """See `Embedder.dim`."""
        return self._inner.dim

    @property
    def max_tokens(self) -> int:
        """See `Embedder.max_tokens`."""
        return self._inner.max_tokens

    def token_spans(self, text: str) -> NDArray[np.int32]:
        """See `Embedder.token_spans`."""
        return self._inner.token_spans(text)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        if not self._keeps_queries:
            return self._inner.embed_query(text)
        key = self._key(f"query\0{text}")
        known = self._read([key])
        if not known:
            known = {key: self._inner.embed_query(text)}
            self._write(known)
        return known[key]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`; only texts that are not known cost anything."""
        keys = [self._key(text) for text in texts]
        known = self._read(keys)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if new:
            made = dict(zip(new, self._inner.embed(list(new.values())), strict=True))
            self._write(made)
            known |= made
        return np.stack([known[key] for key in keys]) if keys else self._inner.embed([])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.id}\0{text}".encode("utf-8", "surrogatepass")).digest()

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        found: dict[bytes, NDArray[np.float32]] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"  # noqa: S608
            with self._lock:
                rows = self._file.execute(query, some).fetchall()
            found.update((key, np.frombuffer(vector, np.float32)) for key, vector in rows)
        return found

    def _write(self, made: dict[bytes, NDArray[np.float32]]) -> None:
        rows = [(key, vector.tobytes()) for key, vector in made.items()]
        with self._lock, self._file:
            self._file.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)


@contextmanager
def kept_engine(folder: Path, *, settings: Settings, queries: bool = False) -> Iterator[Engine]:
    """An engine on ``folder/data``, with `settings` in all but its data folder.

    With `queries`, vectors of queries are kept as well, for runs whose time nobody measures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = dataclasses.replace(settings, data=folder / "data")
    with contextlib.ExitStack() as closing:
        engine = Engine.open(settings=chosen)
        kept = KeptVectors(engine.embedder, folder / "vectors.sqlite", queries=queries)
        closing.callback(kept.close)
        closing.callback(engine.close)  # first, since its worker writes there
        engine.embedders.add(engine.embedders.own_name, kept)
        yield engine
