"""A small store in memory with the real `Reader` interface, and a search by brute force."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from retrieval.analysis import query_terms, terms
from retrieval.errors import NotFound
from retrieval.filters import Filter, matches
from retrieval.hash_embedder import HashEmbedder
from retrieval.segment import name_terms
from retrieval.types import Chunk, FileChange, FileContent, Place

STORE_ID = "vs_test"
EMBEDDER = HashEmbedder()


@dataclass
class Kept:
    """One attachment; `texts` are its windows."""

    change: FileChange
    texts: list[str]
    content: FileContent
    spans: list[tuple[int, int]]

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


@dataclass
class MemoryStore:
    """Mutable; it is its own reader, so every read sees the newest state."""

    now: int = 0
    files: dict[int, Kept] = field(default_factory=dict)
    gone: dict[int, FileChange] = field(default_factory=dict)
    n_contents_read: int = 0

    # --- writing

    def add(
        self,
        file_n: int,
        texts: Sequence[str],
        attributes: Mapping[str, Any],
        *,
        chunk_windows: int = 3,
        filename: str | None = None,
    ) -> None:
        """A new file, or new content for an old one."""
        self.now += 1
        name = filename or f"name{file_n}.txt"
        change = FileChange(self.now, file_n, f"file-{file_n}", name, attributes, self.now, False)
        step = max(1, chunk_windows - 1)
        starts = list(range(0, max(1, len(texts) - chunk_windows // 2), step))
        sizes = [min(chunk_windows, len(texts) - start) for start in starts]
        while len(starts) > 1 and starts[-1] + sizes[-1] <= starts[-2] + sizes[-2]:
            starts.pop()
            sizes.pop()
        content = FileContent(
            texts=list(texts),
            vectors=EMBEDDER.embed(texts),
            chunk_first_window=np.array(starts, dtype=np.int32),
            chunk_n_windows=np.array(sizes, dtype=np.int32),
        )
        ends = np.cumsum([len(text) + 1 for text in texts])
        spans = [
            (int(end) - len(text) - 1, int(end) - 1) for text, end in zip(texts, ends, strict=True)
        ]
        self.files[file_n] = Kept(change, list(texts), content, spans)

    def head(self, file_n: int, headings: Sequence[str], *, title: str = "") -> None:
        """Headings for the chunks of a file, and a title, before anybody reads it."""
        kept = self.files[file_n]
        kept.content = replace(kept.content, headings=headings, title=title)

    def set_attributes(self, file_n: int, attributes: Mapping[str, Any]) -> None:
        self.now += 1
        kept = self.files[file_n]
        old = kept.change
        kept.change = FileChange(
            self.now, file_n, old.file_id, old.filename, attributes, old.content_seq, False
        )

    def delete(self, file_n: int) -> None:
        self.now += 1
        del self.files[file_n]
        self.gone[file_n] = FileChange(self.now, file_n, f"file-{file_n}", "", {}, 0, True)

    # --- the Reader

    def seq(self, vector_store_id: str) -> int:
        assert vector_store_id == STORE_ID
        return self.now

    def changes(self, vector_store_id: str, *, after: int) -> list[FileChange]:
        assert vector_store_id == STORE_ID
        states = [*(kept.change for kept in self.files.values()), *self.gone.values()]
        return sorted((c for c in states if c.seq > after), key=lambda c: c.seq)

    def content(self, file_n: int) -> FileContent:
        self.n_contents_read += 1
        return self.files[file_n].content

    def contents(self, file_n: int) -> list[FileContent]:
        return [self.content(file_n)]

    def chunk(self, file_n: int, ordinal: int) -> Chunk:
        known = self.files.get(file_n)
        if known is None or ordinal >= len(known.content.chunk_first_window):
            raise NotFound("chunk", f"{file_n}:{ordinal}")
        kept = self.files[file_n]
        first = int(kept.content.chunk_first_window[ordinal])
        n = int(kept.content.chunk_n_windows[ordinal])
        start, end = kept.spans[first][0], kept.spans[first + n - 1][1]
        return Chunk(ordinal, first, n, start, end, end - start, Place(), ())

    def text(self, file_n: int, start: int, end: int) -> str:
        return self.files[file_n].text[start:end]


@dataclass(frozen=True)
class Found:
    """What brute force says of one chunk."""

    file_n: int
    ordinal: int
    cosine: float
    bm25: float
    text: str


def brute_force(
    store: MemoryStore, query: str, vector: np.ndarray, filter: Filter | None
) -> list[Found]:
    """Every allowed chunk with both legs' scores, computed from the store alone."""
    chunks = []  # (file_n, ordinal, bag of terms, text, vectors of its windows)
    for file_n, kept in store.files.items():
        runs = zip(kept.content.chunk_first_window, kept.content.chunk_n_windows, strict=True)
        for ordinal, (first, n) in enumerate(runs):
            texts = kept.texts[first : first + n]
            bag = [term for text in texts for term in terms(text)]
            bag += name_terms(kept.change.filename)
            rows = kept.content.vectors[first : first + n].astype(np.float64)
            chunks.append((file_n, ordinal, Counter(bag), "\n".join(texts), rows))
    n_chunks = len(chunks)
    mean = sum(bag.total() for _, _, bag, _, _ in chunks) / max(1, n_chunks)
    found = []
    for file_n, ordinal, bag, text, rows in chunks:
        change = store.files[file_n].change
        seen = {"filename": change.filename, "file_id": change.file_id}
        if not matches(filter, change.attributes, **seen):
            continue
        bm25 = 0.0
        for term in query_terms(query):
            n = sum(1 for _, _, other, _, _ in chunks if other[term])
            idf = math.log(1 + (n_chunks - n + 0.5) / (n + 0.5))
            bm25 += idf * bag[term] / (bag[term] + 1.2 * (0.25 + 0.75 * bag.total() / mean))
        sims = rows @ vector.astype(np.float64)
        cosine = 0.8 * sims.max() + 0.2 * sims.mean()
        found.append(Found(file_n, ordinal, float(cosine), bm25, text))
    return found


def scale_of(store: MemoryStore, query: str) -> float:
    """3 times the root of the best BM25 there can be: the sum of the query's idf."""
    bags = [
        {
            *name_terms(kept.change.filename),
            *(t for text in kept.texts[a : a + n] for t in terms(text)),
        }
        for kept in store.files.values()
        for a, n in zip(kept.content.chunk_first_window, kept.content.chunk_n_windows, strict=True)
    ]
    bound = 0.0
    for term in query_terms(query):
        n = sum(term in bag for bag in bags)
        bound += math.log(1 + (len(bags) - n + 0.5) / (n + 0.5)) if n else 0.0
    return 3 * math.sqrt(max(1.0, bound))


def blended(found: Found, scale: float = 10.0) -> float:
    return 0.5 * found.cosine + 0.5 * found.bm25 / (found.bm25 + scale)


def first_of_each_text(found: Sequence[Found]) -> list[Found]:
    kept: dict[tuple[int, str], Found] = {}
    for each in found:
        kept.setdefault((each.file_n, " ".join(each.text.split())), each)
    return list(kept.values())
