"""Figures that others published, nDCG@10, with where they stand. Quoted, not measured here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """What is known of one set."""

    library_bm25: float  # bm25s, method lucene, k1 1.2, b 0.75, stop words and Snowball stems
    others: tuple[tuple[str, str, str], ...] = ()  # figure, of what, source


_MTEB = "embeddings-benchmark/results on GitHub"
_OGX = "ogx-ai/ogx, benchmarking/rag/results/REPORT.md, through the OpenAI API, 10 results"

PUBLISHED = {
    "cranfield": Published(0.370),
    "cisi": Published(0.396),
    "nfcorpus": Published(
        0.318,
        (
            (".322", "BM25", "Anserini's BEIR regressions, bm25-flat"),
            (".325", "BM25", "BEIR paper, two fields"),
            (".316", "all-MiniLM-L6-v2", "MTEB paper, second-hand"),
            (".316", "OpenAI's hosted file search", _OGX),
            (".335", "OGX hybrid with a reranker", _OGX),
            (".347", "SPLADE++", "ruvnet/claude-flow v3.10.30, second-hand"),
            (".380", "BGE-large-en-v1.5", "the same"),
        ),
    ),
    "xquad": Published(0.967, ((".944", "all-MiniLM-L6-v2", f"XQuADRetrieval (en), {_MTEB}"),)),
    "financebench": Published(
        0.144, ((".107", "all-MiniLM-L6-v2", f"MAIR's FinanceBench, another pool, {_MTEB}"),)
    ),
}

# Chroma's chunking set, five chunks of 250 tokens without overlap; recall and precision.
CHUNKING = (
    (
        "all-MiniLM-L6-v2",
        ".824",
        "",
        "research.trychroma.com/evaluating-chunking (250, overlap 125)",
    ),
    ("text-embedding-3-large", ".919", ".039", "the same, chunks made by a language model"),
)
