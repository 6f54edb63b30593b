"""Ranking on public judged sets; runs where SOURCEBOOK_JUDGED_SETS names their folder.

The first figures are those that `bm25s` (method lucene, k1 1.2, b 0.75, English stop words and
Snowball stems) reaches on the same files; the others are ours, decision 0004.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval import keyword
from retrieval.embedder import DEFAULT_MODEL, load_embedder
from retrieval.search import search
from retrieval.types import Query
from tests.quality.judged_sets import JudgedSet, load, sets_folder

BM25 = {"cranfield": 0.370, "cisi": 0.396, "nfcorpus": 0.318, "xquad": 0.967}
BLENDED = {"cranfield": 0.418, "cisi": 0.459, "nfcorpus": 0.361, "xquad": 0.980}
FEEDBACK = {"cranfield": 0.429, "cisi": 0.461, "nfcorpus": 0.368, "xquad": 0.980}
SLACK = 0.005


def folder_of(name: str) -> Path:
    folder = sets_folder()
    if folder is None:
        pytest.skip("SOURCEBOOK_JUDGED_SETS is not set: no judged sets to run on")
    if not (folder / name / "corpus.jsonl").exists():
        pytest.skip(f"SOURCEBOOK_JUDGED_SETS holds no set {name!r}")
    return folder / name


@pytest.mark.parametrize("name", BM25)
def test_keyword_leg_ranks_no_worse_than_a_bm25_library(name: str) -> None:
    judged = load(folder_of(name), embedder=None)
    view = judged.view()
    file_n = view.segments[0].segment.file_n

    def rank(query: str) -> list[str]:
        scores = keyword.scores(view, view.allowed(None), judged.queries[query])
        return [judged.ids[file_n[i]] for i in np.argsort(-scores, kind="stable")[:10]]

    assert judged.ndcg(rank) >= BM25[name] - SLACK


@pytest.mark.parametrize("name", BLENDED)
def test_search_ranks_as_recorded(name: str, tmp_path: Path) -> None:
    embedder = load_embedder(DEFAULT_MODEL, cache=tmp_path)
    judged = load(folder_of(name), embedder=embedder)
    figures = {ranker: ndcg_of_search(judged, ranker) for ranker in ("none", "auto")}
    print(name, figures)
    assert figures["none"] >= BLENDED[name] - SLACK
    assert figures["auto"] >= FEEDBACK[name] - SLACK


def ndcg_of_search(judged: JudgedSet, ranker: str) -> float:
    view = judged.view()

    def rank(query: str) -> list[str]:
        class Known:
            def embed_query(self, text: str) -> np.ndarray:
                assert text == judged.queries[query]
                return judged.query_vectors[query]

        asked = Query((judged.queries[query],), ranker=ranker)  # type: ignore[arg-type]
        hits = search(judged, view, Known(), asked, vector_store_id=judged.name).hits
        return [hit.text for hit in hits]

    return judged.ndcg(rank)
