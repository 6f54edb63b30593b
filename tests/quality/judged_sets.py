"""Public judged sets (BEIR layout) as vector stores: whole documents, one chunk each.

Each set is a folder with corpus.jsonl, queries.jsonl and qrels.tsv. Making vectors takes minutes;
they are kept in the folder that SOURCEBOOK_JUDGED_VECTORS names, if it does.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.embedder import Embedder
from retrieval.queries import Hit
from retrieval.snapshot import StoreIndex
from retrieval.types import Chunk, FileChange, FileContent, Place, Vectors
from retrieval.view import View

WINDOW_TOKENS = 200
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n")


@dataclass
class JudgedSet:
    """Also the `Reader` of its own index; a file's number is the place of its document."""

    name: str
    ids: list[str]
    windows: list[list[str]]  # by document
    queries: dict[str, str]  # those with a relevant document
    grades: dict[str, dict[str, int]]  # query → document → grade
    vectors: list[Vectors]  # by document
    query_vectors: dict[str, np.ndarray]

    def view(self) -> View:
        return StoreIndex(self.name, model_id="any").catch_up(self)

    def seq(self, vector_store_id: str) -> int:
        assert vector_store_id == self.name
        return len(self.ids)

    def changes(self, vector_store_id: str, *, after: int) -> list[FileChange]:
        assert vector_store_id == self.name
        return [
            FileChange(n + 1, n, f"file-{n}", "document.txt", {}, n + 1, False)
            for n in range(after, len(self.ids))
            if self.windows[n]
        ]

    def content(self, file_n: int) -> FileContent:
        texts = self.windows[file_n]
        one = np.array([len(texts)], dtype=np.int32)
        return FileContent(texts, self.vectors[file_n], np.zeros(1, dtype=np.int32), one)

    def contents(self, file_n: int) -> list[FileContent]:
        return [self.content(file_n)]

    def chunk(self, file_n: int, ordinal: int) -> Chunk:
        n, n_chars = len(self.windows[file_n]), len(" ".join(self.windows[file_n]))
        return Chunk(ordinal, 0, n, 0, n_chars, n, Place(), ())

    def text(self, file_n: int, start: int, end: int) -> str:
        return " ".join(self.windows[file_n])[start:end]

    def found(self, hits: Sequence[Hit]) -> list[str]:
        """Documents of hits, whose files bear their numbers."""
        return [self.ids[int(hit.file_id.removeprefix("file-"))] for hit in hits]

    def ndcg(self, rank: Callable[[str], Sequence[str]]) -> float:
        """Mean nDCG@10 of `rank`, which brings a query's id to document ids, best first."""
        return float(np.mean([_ndcg(rank(q), self.grades[q]) for q in self.queries]))


def sets_folder() -> Path | None:
    """Where the sets are; None when nobody said."""
    where = os.environ.get("SOURCEBOOK_JUDGED_SETS")
    return Path(where) if where else None


def load(folder: Path, *, embedder: Embedder | None) -> JudgedSet:
    """Read a set; without an embedder all vectors are alike, which serves the keyword leg."""
    documents = list(_lines(folder / "corpus.jsonl"))
    grades = _grades(folder / "qrels.tsv")
    queries = {
        query["_id"]: query["text"]
        for query in _lines(folder / "queries.jsonl")
        if any(grade > 0 for grade in grades.get(query["_id"], {}).values())
    }
    texts = [f"{doc.get('title') or ''}\n\n{doc['text']}".strip() for doc in documents]
    windows = [_windows(text, embedder) for text in texts]
    every = [window for each in windows for window in each]
    rows = _vectors(folder.name, every, embedder)
    asked = _vectors(f"{folder.name}.queries", list(queries.values()), embedder)
    ends = np.cumsum([len(each) for each in windows])
    return JudgedSet(
        name=folder.name,
        ids=[doc["_id"] for doc in documents],
        windows=windows,
        queries=queries,
        grades=grades,
        vectors=np.split(rows, ends[:-1]),
        query_vectors=dict(zip(queries, asked, strict=True)),
    )


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _grades(path: Path) -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = int(grade)
    return grades


def _windows(text: str, embedder: Embedder | None) -> list[str]:
    """Whole sentences up to the window's size; a longer sentence is cut between tokens."""
    if embedder is None:
        return [text] if text else []
    spans = embedder.token_spans(text)
    ends = [int(np.searchsorted(spans[:, 0], m.end())) for m in _SENTENCE_END.finditer(text)]
    ends = sorted({*ends, len(spans)})
    windows, start = [], 0
    while start < len(spans):
        last = max((end for end in ends if start < end <= start + WINDOW_TOKENS), default=0)
        last = last or min(len(spans), start + WINDOW_TOKENS)
        windows.append(text[spans[start, 0] : spans[last - 1, 1]])
        start = last
    return windows


def _vectors(name: str, texts: list[str], embedder: Embedder | None) -> Vectors:
    if embedder is None:
        return np.ones((len(texts), 1), dtype=np.float32)
    key = hashlib.sha256("\0".join([embedder.id, *texts]).encode()).hexdigest()[:16]
    cache = os.environ.get("SOURCEBOOK_JUDGED_VECTORS")
    path = Path(cache or ".") / f"{name}-{key}.npy"
    if cache and path.exists():
        return np.load(path)
    of = (
        embedder.embed_query
        if name.endswith(".queries")
        else lambda text: embedder.embed([text])[0]
    )
    rows = np.stack([of(text) for text in texts])
    if cache:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rows)
    return rows


def _ndcg(ranked: Sequence[str], grades: dict[str, int], *, k: int = 10) -> float:
    gains = [max(0, grades.get(id, 0)) for id in ranked[:k]]
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:k]

    def total(grades: Sequence[int]) -> float:
        return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades))

    return total(gains) / total(best)
