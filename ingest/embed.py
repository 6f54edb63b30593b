"""Windows → vectors: each distinct text once, what is known already not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.embedder import Embedder
from retrieval.types import Document, Vectors, Window

Cached = Callable[[Sequence[bytes]], Mapping[bytes, NDArray[np.float32]]]

# Texts of one call of the embedder: few enough that progress is seen and that a worker told to
# stop does so within seconds, many enough that batches inside it fill up.
_TEXTS_PER_CALL = 32


def embed_windows(
    document: Document,
    windows: Sequence[Window],
    *,
    embedder: Embedder,
    cached: Cached,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[bytes], Vectors]:
    """The vector of every window, and the key it can be kept under.

    Args:
        document: what the windows were cut from.
        windows: (n,) in any order.
        embedder: its id is part of every key, so models never share vectors.
        cached: gives the vectors it has of some keys; asked once, with distinct keys.
        progress: told how many of the n windows have their vector, each time it is more.

    Returns:
        Keys (n,), sha256 of the model's id and the text embedded; and vectors (n, dim), unit rows.

    Raises:
        ValueError: a window is longer than the model reads.
    """
    texts = [embedded_text(document, window) for window in windows]
    keys = [_key(embedder.id, text) for text in texts]
    rows_of: dict[bytes, list[int]] = {}
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    vectors = np.empty((len(windows), embedder.dim), dtype=np.float32)
    n_done = 0
    for batch in _found(rows_of, texts, embedder=embedder, cached=cached):
        for key, vector in batch.items():
            vectors[rows_of[key]] = vector
            n_done += len(rows_of[key])
        if progress and batch:
            progress(n_done)
    return keys, vectors


def embedded_text(document: Document, window: Window) -> str:
    """What the model reads of a window: its prefix, then its text."""
    text = document.text[window.start_char : window.end_char]
    return f"{window.prefix}\n{text}" if window.prefix else text


def _found(
    rows_of: Mapping[bytes, Sequence[int]],
    texts: Sequence[str],
    *,
    embedder: Embedder,
    cached: Cached,
) -> Iterator[Mapping[bytes, NDArray[np.float32]]]:
    """Vectors by key: those cached first, then the others as they are embedded."""
    known = cached(list(rows_of)) if rows_of else {}
    yield known
    # By length, since a batch takes as long as its longest text makes it.
    text_of = {key: texts[rows[0]] for key, rows in rows_of.items() if key not in known}
    left = sorted(text_of, key=lambda key: len(text_of[key]))
    for start in range(0, len(left), _TEXTS_PER_CALL):
        batch = left[start : start + _TEXTS_PER_CALL]
        yield dict(zip(batch, embedder.embed([text_of[key] for key in batch]), strict=True))


def _key(model_id: str, text: str) -> bytes:
    return hashlib.sha256(f"{model_id}\0{text}".encode("utf-8", "surrogatepass")).digest()
