"""The small pure parts of ranking: analysis, plan, fusion, calibration, rewriting, reranking."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from retrieval import fuse, keyword, recipe_2024_11_15, threshold
from retrieval.analysis import query_terms, terms
from retrieval.errors import ModelUnavailable
from retrieval.plan import DEFAULT, plan
from retrieval.queries import HybridWeights
from retrieval.rerank import CrossEncoderReranker, NoReranker, reranked
from retrieval.rewrite import rewrite


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Running runs", ["run", "run"]),
        ("max_size", ["max_size", "max", "size"]),
        ("getUserName()", ["getusername", "get", "user", "name"]),
        ("HTTPServer2", ["httpserver2", "http", "server"]),
        ("end-to-end", ["end-to-end", "end", "to", "end"]),
        ("version 2.10.3", ["version", "2.10.3", "10"]),
        ("$1,577.50", ["1577.50", "577", "50"]),
        ("Ann's don't", ["ann", "don"]),
        ("C++ and C#", ["c++", "c", "and", "c#", "c"]),
        ("__init__", ["init"]),
        ("ＦＵＬＬ　width ﬁle", ["full", "width", "file"]),
        ("STRASSE Straße", ["strass", "strass"]),
        ("東京都 ab東京", ["東京", "京都", "ab", "東京"]),
        ("水", ["水"]),
        ("हिन्दी", ["हिन्दी"]),
        ("สวัสดี", ["สว", "วั", "ัส", "สด", "ดี"]),
        ("", []),
        ("?! …", []),
        ("bad \ud800 text", ["bad", "text"]),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_documents_and_queries_agree_on_joined_words() -> None:
    for text in ("max_chunk_size_tokens", "HTTPServer.close()", "a/b-c.d", "x@example.com"):
        assert set(query_terms(text)) <= set(terms(f"see {text} there"))


def test_stop_words_leave_a_query_unless_nothing_else_is_in_it() -> None:
    assert query_terms("what is the height of the tower") == ["height", "tower"]
    assert query_terms("to be or not to be") == ["to", "be", "or", "not", "to", "be"]


def test_plan_follows_what_is_allowed() -> None:
    n = DEFAULT.gather_windows
    assert plan(n_allowed=0, n_total=10).kind == "none"
    assert plan(n_allowed=0, n_total=0).selectivity == 0.0
    assert plan(n_allowed=n, n_total=10 * n).kind == "gather"
    assert plan(n_allowed=n + 1, n_total=10 * n).kind == "scan"
    assert plan(n_allowed=10 * n, n_total=10 * n).kind == "open"
    assert plan(n_allowed=5, n_total=20).selectivity == 0.25
    assert str(plan(n_allowed=120, n_total=20_000)) == "gather: 120 of 20000 windows allowed"


def test_blend_rises_with_both_legs_and_stays_within_1() -> None:
    dense, bm25 = np.linspace(-1, 1, 21), np.linspace(0, 80, 21)
    assert (np.diff(fuse.blend(dense, np.full(21, 5.0))) > 0).all()
    assert (np.diff(fuse.blend(np.full(21, 0.5), bm25)) > 0).all()
    # 0.5 * 0.8 + 0.5 * 30 / 40 = 0.775
    assert fuse.blend(np.array([0.8]), np.array([30.0]))[0] == pytest.approx(0.775)


def test_reciprocal_ranks_add_up() -> None:
    ranks = fuse.reciprocal_ranks(
        np.array([1, 0, 2]), np.array([3, 1, 0]), HybridWeights(1.0, 2.0)
    )
    assert ranks.tolist() == pytest.approx([1 / 61 + 2 / 63, 2 / 61, 1 / 62])
    assert fuse.best_reciprocal_rank(HybridWeights(1.0, 2.0)) == pytest.approx(3 / 61)


SIGNS = threshold.Signs(n_chunks=400, n_terms=60_000, has_number=True)


@pytest.mark.parametrize("curve", [threshold.LIGHT, threshold.FIRST])
def test_confidence_rises_strictly_within_0_and_1(curve: threshold.Curve) -> None:
    scores = curve.at(np.linspace(-0.5, 1.0, 301), SIGNS)
    assert (np.diff(scores) > 0).all()
    assert 0 < scores[0] < scores[-1] < 1
    assert threshold.keeps(0.5, 0.5)
    assert not threshold.keeps(0.4999, 0.5)


def test_a_right_hit_of_a_tiny_store_is_believed_and_a_foreign_question_is_not() -> None:
    for n_chunks in (1, 6, 30):
        signs = threshold.Signs(n_chunks, 200 * n_chunks, has_number=False)
        sure = float(threshold.LIGHT.at(np.array([0.7]), signs)[0])
        assert sure * threshold.belonging(0.5, 1.0) > 0.4
        assert sure * threshold.belonging(0.15, 0.3) < 0.01
    assert threshold.belonging(0.4, 0.5) < threshold.belonging(0.4, 0.6) < 1
    assert 0 < threshold.belonging(-1.0, 0.0) < threshold.CONFIDENT


def test_keyword_top_says_what_the_rest_can_score() -> None:
    scores = np.array([0.0, 3.0, 1.0, 0.0, 2.0])
    found, rest = keyword.top(scores, 2)
    assert (sorted(found.tolist()), rest) == ([1, 4], 2.0)
    found, rest = keyword.top(scores, 3)
    assert (sorted(found.tolist()), rest) == ([1, 2, 4], 0.0)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("I'd like to know the height of the main office building.", "height of the main office building"),
        ("What are the safety regulations for hazardous materials?", "safety regulations for hazardous materials"),
        ("How do I file a complaint about a service issue?", "file a complaint about a service issue"),
        ("Can you tell me about ranking?", "ranking"),
        ("primary building", "primary building"),
        ("what?", "what"),
        ("?", "?"),
        ("How", "How"),
        ("Wie hoch ist der Turm?", "Wie hoch ist der Turm"),
    ],
)  # fmt: skip
def test_rewriting_keeps_what_is_asked_for(question: str, words: str) -> None:
    assert rewrite(question) == words


def test_no_reranker_leaves_the_order() -> None:
    first = np.array([0.9, 0.5, 0.1])
    second = NoReranker().rerank("q", ["a", "b", "c"])
    assert (np.diff(reranked(first, second)) < 0).all()


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is not None,
    reason="sentence-transformers is installed",
)
def test_reranker_without_its_extra_names_the_extra() -> None:
    with pytest.raises(ModelUnavailable, match=r"sourcebook\[models\]"):
        CrossEncoderReranker("some/model")


def test_the_fixed_recipe_gives_the_scores_it_was_released_with() -> None:
    fused = np.array([0.0, 0.25, 0.5, 0.6392, 0.75, 1.0])
    released = [0.018891, 0.082792, 0.297339, 0.500064, 0.664854, 0.902911]
    assert recipe_2024_11_15.confidence(fused) == pytest.approx(released, abs=1e-6)
