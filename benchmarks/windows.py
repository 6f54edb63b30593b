"""How well chunks of 800 tokens are found by their windows, for several window sizes.

    python benchmarks/windows.py FOLDER [CORPUS ...]

FOLDER holds the chunking evaluation of Smith and Troynikov (2024): corpora/NAME.md and
questions.jsonl with the spans that answer each question. Chunks of all named corpora are
ranked together by 0.8 max + 0.2 mean of their windows' cosines; a chunk is relevant when it
holds an answering span whole. Prints nDCG@10 beside what cutting each chunk at the model's
limit gives.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # from the source, not installed

from ingest import chunk
from ingest.embed import embed_windows
from ingest.parse import parse
from retrieval.embedder import DEFAULT_MODEL, Embedder, load_embedder
from retrieval.types import Chunk, ChunkingStrategy, Document, Vectors, Window

_DEPTH = 10
_SIZES = (200, 100, 150)

Cut = tuple[Document, list[Window], list[Chunk]]


def main() -> None:
    """Print a line for each window size."""
    folder = Path(sys.argv[1])
    names = sys.argv[2:] or [path.stem for path in sorted((folder / "corpora").iterdir())]
    lines = (folder / "questions.jsonl").read_text("utf-8").splitlines()
    questions = [q for q in map(json.loads, lines) if q["corpus"] in names]
    with tempfile.TemporaryDirectory() as cache:
        embedder = load_embedder(DEFAULT_MODEL, cache=Path(cache))
        asked = np.stack([embedder.embed_query(q["question"]) for q in questions])
        for size in _SIZES:
            chunk.TARGET_WINDOW_TOKENS = size
            cuts = {name: _cut(folder / "corpora" / f"{name}.md", embedder) for name in names}
            _report(f"windows of {size}", questions, cuts, _by_windows(cuts, asked, embedder))
            if size == _SIZES[0]:
                _report("cut at limit", questions, cuts, _by_start(cuts, asked, embedder))


def _cut(path: Path, embedder: Embedder) -> Cut:
    document = parse(path, filename=path.name)
    windows, chunks = chunk.cut(
        document, ChunkingStrategy(), filename=path.name,
        token_spans=embedder.token_spans, max_tokens=embedder.max_tokens,
    )  # fmt: skip
    return document, windows, chunks


def _by_windows(cuts: dict[str, Cut], asked: Vectors, embedder: Embedder) -> np.ndarray:
    """(n_questions, n_chunks) scores."""
    columns = []
    for document, windows, chunks in cuts.values():
        _, vectors = embed_windows(document, windows, embedder=embedder, cached=lambda _: {})
        cosines = asked @ vectors.T
        for each in chunks:
            own = cosines[:, each.first_window : each.first_window + each.n_windows]
            columns.append(0.8 * own.max(axis=1) + 0.2 * own.mean(axis=1))
    return np.stack(columns, axis=1)


def _by_start(cuts: dict[str, Cut], asked: Vectors, embedder: Embedder) -> np.ndarray:
    """The same from the first tokens of each chunk alone, which is what the model would read."""
    rows = [
        embedder.embed_query(document.text[each.start_char : each.end_char])
        for document, _, chunks in cuts.values()
        for each in chunks
    ]
    return asked @ np.stack(rows).T


def _report(
    name: str, questions: Sequence[dict], cuts: dict[str, Cut], scores: np.ndarray
) -> None:
    gains = [
        np.array(
            [_answers(q, corpus, cut[0], each) for corpus, cut in cuts.items() for each in cut[2]]
        )
        for q in questions
    ]
    values = [_ndcg(row, gain) for row, gain in zip(scores, gains, strict=True) if gain.any()]
    n_windows = sum(len(cut[1]) for cut in cuts.values())
    print(
        f"{name}: nDCG@{_DEPTH} {np.mean(values):.3f} over {len(values)} questions,"
        f" {scores.shape[1]} chunks, {n_windows} windows",
        flush=True,
    )


def _answers(question: dict, corpus: str, document: Document, each: Chunk) -> bool:
    """Whether the chunk has an answering span, white space aside."""
    if question["corpus"] != corpus:
        return False
    text = " ".join(document.text[each.start_char : each.end_char].split())
    return any(" ".join(ref["text"].split()) in text for ref in question["references"])


def _ndcg(scores: np.ndarray, gains: np.ndarray) -> float:
    best = np.argsort(-scores, kind="stable")[:_DEPTH]
    found = sum(gains[i] / math.log2(rank + 2) for rank, i in enumerate(best))
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(_DEPTH, int(gains.sum()))))
    return float(found / ideal)


if __name__ == "__main__":
    main()
