"""Ranking on public judged sets; runs where SOURCEBOOK_JUDGED_SETS names their folder.

The first figures are those that `bm25s` (method lucene, k1 1.2, b 0.75, English stop words and
Snowball stems) reaches on the same files; the others are ours, decision 0018. Each search is
judged as a whole, so these figures hold for what a user gets.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval import dense, keyword
from retrieval.analysis import stem
from retrieval.calibrate import calibrate, calibration_error
from retrieval.embedder import DEFAULT_MODEL, load_embedder
from retrieval.queries import Hit, Query, Ranker
from retrieval.rerank import Reranker
from retrieval.search import search
from tests.quality.judged_sets import JudgedSet, load, sets_folder

BM25 = {
    "cranfield": 0.370,
    "cisi": 0.396,
    "nfcorpus": 0.318,
    "xquad": 0.967,
    "financebench": 0.144,
}
FIRST = {
    "cranfield": 0.420,
    "cisi": 0.464,
    "nfcorpus": 0.363,
    "xquad": 0.981,
    "financebench": 0.277,
}
AUTO = {
    "cranfield": 0.429,
    "cisi": 0.471,
    "nfcorpus": 0.373,
    "xquad": 0.981,
    "financebench": 0.289,
}
SLACK = 0.005


@dataclass
class Known:
    """The set's own vectors of its questions."""

    judged: JudgedSet

    def embed_query(self, text: str) -> np.ndarray:
        by_text = {asked: query for query, asked in self.judged.queries.items()}
        return self.judged.query_vectors[by_text[text]]


def folder_of(name: str) -> Path:
    folder = sets_folder()
    if folder is None:
        pytest.skip("SOURCEBOOK_JUDGED_SETS is not set: no judged sets to run on")
    if not (folder / name / "corpus.jsonl").exists():
        pytest.skip(f"SOURCEBOOK_JUDGED_SETS holds no set {name!r}")
    return folder / name


@lru_cache(maxsize=1)
def judged_set(name: str) -> JudgedSet:
    models = Path(tempfile.gettempdir()) / "sourcebook-models"
    embedder = load_embedder(DEFAULT_MODEL, cache=models)
    return load(folder_of(name), embedder=embedder)


@lru_cache(maxsize=1)
def all_hits(name: str, ranker: Ranker = "auto") -> dict[str, tuple[Hit, ...]]:
    return searched(judged_set(name), ranker=ranker)


def searched(
    judged: JudgedSet, *, ranker: Ranker = "auto", reranker: Reranker | None = None
) -> dict[str, tuple[Hit, ...]]:
    view, known = judged.view(), Known(judged)
    return {
        query: search(
            judged,
            view,
            known,
            Query((text,), ranker=ranker),
            vector_store_id=judged.name,
            reranker=reranker,
        ).hits
        for query, text in judged.queries.items()
    }


def ndcg(judged: JudgedSet, hits: dict[str, tuple[Hit, ...]]) -> float:
    return judged.ndcg(lambda query: judged.found(hits[query]))


def ndcg_of_leg(judged: JudgedSet, scores: Callable[[Any, str], np.ndarray]) -> float:
    view = judged.view()
    file_n = view.segments[0].segment.file_n

    def rank(query: str) -> Sequence[str]:
        order = np.argsort(-scores(view, query), kind="stable")[:10]
        return [judged.ids[file_n[i]] for i in order]

    return judged.ndcg(rank)


@pytest.mark.parametrize("name", BM25)
def test_ranking_is_no_worse_than_either_leg_and_as_recorded(name: str) -> None:
    judged = judged_set(name)
    figures = {
        "keyword": ndcg_of_leg(
            judged,
            lambda view, query: keyword.scores(view, view.allowed(None), judged.queries[query]),
        ),
        "dense": ndcg_of_leg(
            judged,
            lambda view, query: dense.scores(
                view, np.arange(view.n_chunks), judged.query_vectors[query]
            ),
        ),
        "none": ndcg(judged, searched(judged, ranker="none")),
        "auto": ndcg(judged, all_hits(name)),
    }
    print(name, {ranker: round(figure, 4) for ranker, figure in figures.items()})
    assert figures["keyword"] >= BM25[name] - SLACK
    assert figures["auto"] >= max(figures["keyword"], figures["dense"]) - SLACK
    assert figures["auto"] >= figures["none"] - SLACK
    assert figures["none"] >= FIRST[name] - SLACK
    assert figures["auto"] >= AUTO[name] - SLACK


@pytest.mark.parametrize("name", BM25)
def test_confidence_is_what_share_is_relevant(name: str) -> None:
    judged, hits = judged_set(name), all_hits(name)
    scores = [[hit.score for hit in found] for found in hits.values()]
    relevant = [
        [judged.grades[query].get(id, 0) > 0 for id in judged.found(found)]
        for query, found in hits.items()
    ]
    for each in scores:
        assert all(a >= b for a, b in pairwise(each))
    error = calibration_error(np.concatenate(scores), np.concatenate(relevant))
    fit = list(range(0, len(scores), max(1, len(scores) // 50)))[:50]
    own = calibrate([scores[i] for i in fit], [relevant[i] for i in fit])
    bent = own.apply_all(np.concatenate(scores))
    mended = calibration_error(bent, np.concatenate(relevant))
    print(name, "error", round(error, 3), "after 50 judged questions", round(mended, 3))
    assert error <= 0.12
    assert mended <= 0.09


class Chance:
    """Scores at random."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(5)

    def rerank(self, question: str, texts: Any) -> Any:  # noqa: ARG002
        return self._rng.random(len(texts))


class Oracle:
    """Knows what is relevant; the other way round, it says the opposite."""

    def __init__(self, judged: JudgedSet, *, sign: int = 1) -> None:
        self._known = {
            (judged.queries[query], " ".join(judged.windows[judged.ids.index(id)]))
            for query, grades in judged.grades.items()
            for id, grade in grades.items()
            if grade > 0 and query in judged.queries
        }
        self._sign = sign

    def rerank(self, question: str, texts: Any) -> Any:
        found = [float((question, text) in self._known) for text in texts]
        return self._sign * np.array(found)


@pytest.mark.parametrize("name", ["cranfield", "cisi"])
def test_a_bad_reranker_costs_little_and_an_oracle_gains_much(name: str) -> None:
    judged = judged_set(name)
    plain = ndcg(judged, all_hits(name))
    moved = {
        "random": ndcg(judged, searched(judged, reranker=Chance())) - plain,
        "wrong": ndcg(judged, searched(judged, reranker=Oracle(judged, sign=-1))) - plain,
        "oracle": ndcg(judged, searched(judged, reranker=Oracle(judged))) - plain,
    }
    print(name, {kind: round(by, 3) for kind, by in moved.items()})
    assert moved["random"] >= -0.03
    assert moved["wrong"] >= -0.03
    assert moved["oracle"] >= 0.05


def _plain_terms(text: str) -> list[str]:
    """As `bm25s` reads a text: words of two letters or more, less its English stop words."""
    stop_words = re.findall(
        r"\w+",
        "a an and are as at be but by for if in into is it no not of on or such that the their then"
        " there these they this to was will with",
    )
    words = re.findall(r"(?u)\b\w\w+\b", text.lower())
    return [stem(word) for word in words if word not in stop_words]


@pytest.mark.parametrize("name", BM25)
def test_the_formula_gives_the_figures_of_a_bm25_library(name: str) -> None:
    """The same analysis as the library's, our scoring: its figures within 0.003."""
    judged = judged_set(name)
    folder = folder_of(name)
    with (folder / "corpus.jsonl").open(encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    texts = [
        [f"{each.get('title') or ''} {each['text']}"] if each["text"] or each.get("title") else []
        for each in documents
    ]
    plain = replace(
        judged,
        windows=[["\n".join(map(_as_token, _plain_terms(text))) for text in one] for one in texts],
        vectors=[np.ones((len(one), 1), dtype=np.float32) for one in texts],
    )
    view = plain.view()
    file_n = view.segments[0].segment.file_n

    def rank(query: str) -> Sequence[str]:
        wanted = [_as_token(term) for term in _plain_terms(judged.queries[query])]
        scores = keyword.look_up_terms(view, view.allowed(None), wanted).scores
        return [judged.ids[file_n[i]] for i in np.argsort(-scores, kind="stable")[:10]]

    figure = judged.ndcg(rank)
    print(name, "BM25 by the library's analysis", round(figure, 4))
    assert figure == pytest.approx(BM25[name], abs=0.003)


def _as_token(term: str) -> str:
    """A word for each term that our own analysis takes as it is: no stem, no joints."""
    digest = hashlib.sha256(term.encode()).hexdigest()
    return "".join(chr(ord("g") + int(c, 16)) for c in digest[:14]) + "q"
