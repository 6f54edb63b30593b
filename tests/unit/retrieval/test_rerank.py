"""Second looks: how far they may move a ranking, and rerankers behind a real HTTP server."""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handlers import handled
from memory_store import EMBEDDER, STORE_ID, MemoryStore

from retrieval.errors import ModelUnavailable
from retrieval.queries import HybridWeights, Query
from retrieval.rerank import CrossEncoderReranker, NoReranker, reranked
from retrieval.rerank_server import RerankServer, ServerReranker
from retrieval.search import search
from retrieval.snapshot import StoreIndex

FIRST = 1 / (1 + np.exp(-np.linspace(2, -3, 30)))


def test_a_second_look_that_says_nothing_changes_nothing() -> None:
    same = NoReranker().rerank("q", ["a"] * 30)
    assert (reranked(FIRST, same) == FIRST).all()
    assert len(reranked(np.empty(0), np.empty(0))) == 0
    assert reranked(np.array([0.4]), np.array([0.9])).tolist() == [0.4]


def test_an_inverted_second_look_is_ignored() -> None:
    assert (reranked(FIRST, -FIRST) == FIRST).all()


def test_an_agreeing_second_look_moves_what_it_lifts() -> None:
    second = FIRST.copy()
    second[5] = 1.0
    moved = reranked(FIRST, second)
    assert int(np.argsort(-moved).tolist().index(5)) < 5
    assert ((moved > 0) & (moved < 1)).all()


def test_the_scale_of_a_second_look_does_not_matter() -> None:
    second = np.random.default_rng(1).permutation(30) / 30 + FIRST
    assert reranked(FIRST, second) == pytest.approx(reranked(FIRST, 7 * second - 3))


class Lifts:
    """Agrees with the words of the question, and likes one of the hits best."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.asked: list[str] = []

    def rerank(self, question: str, texts: Any) -> Any:
        self.asked.append(question)
        words = set(question.split())
        shares = [len(words & set(text.split())) / len(words) for text in texts]
        lifted = [share + (self.wanted in text) for share, text in zip(shares, texts, strict=True)]
        return np.array(lifted) / 2


def river_store() -> MemoryStore:
    rng = random.Random(4)
    words = [
        "river",
        "mill",
        "water",
        "stone",
        "bridge",
        "garden",
        "orchard",
        "ferry",
        "clock",
        "bell",
    ]
    store = MemoryStore()
    for n in range(40):
        store.add(n, [" ".join(rng.choices(words, k=12)) + f" mark{n}"], {})
    return store


def test_search_blends_a_reranker_in_and_falling_scores_stay() -> None:
    store = river_store()
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)

    def hits(query: Query, reranker: Any = None) -> Any:
        return search(
            store, view, EMBEDDER, query, vector_store_id=STORE_ID, reranker=reranker
        ).hits

    plain = hits(Query(("river mill water",), limit=40))
    wanted = plain[6].text.split()[-1]
    lifts = Lifts(wanted)
    moved = hits(Query(("river mill water",), limit=40), lifts)
    assert lifts.asked == ["river mill water"]
    place = [hit.text.split()[-1] for hit in moved].index(wanted)
    assert place < 6
    scores = [hit.score for hit in moved]
    assert scores == sorted(scores, reverse=True)
    assert moved[0].explanation.reranker is not None
    assert moved[39].explanation.reranker is None
    for off in (
        Query(("river mill water",), ranker="none"),
        Query(("river mill water",), weights=HybridWeights(1, 1)),
        Query(("river mill water",), ranker="default-2024-11-15"),
    ):
        assert hits(off, lifts) == hits(off)


# --- servers


def _handler(dialect: str, seen: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append(body)
            status, reply = self._reply(body)
            raw = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _reply(self, body: dict[str, Any]) -> tuple[int, Any]:
            if dialect == "broken":
                return 200, {"results": [{"index": 0, "relevance_score": 0.5}]}
            texts = body.get("texts" if dialect == "tei" else "documents")
            if texts is None:
                return 422, {"error": "missing field"}
            rows = sorted(enumerate(map(len, texts)), key=lambda row: -row[1])
            if dialect == "tei":
                return 200, [{"index": i, "score": n / 100} for i, n in rows]
            return 200, {"results": [{"index": i, "relevance_score": float(n)} for i, n in rows]}

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


@contextmanager
def served(dialect: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    seen: list[dict[str, Any]] = []
    with handled(_handler(dialect, seen)) as url:
        yield url, seen


def test_a_server_of_either_dialect_is_understood() -> None:
    texts = ["aa", "a", "aaaa"]
    with served("cohere") as (url, seen):
        scores = ServerReranker(RerankServer(url, "some-model")).rerank("q", texts)
        assert seen[0]["model"] == "some-model"
    assert np.argsort(-scores).tolist() == [2, 0, 1]
    assert ((scores >= 0) & (scores <= 1)).all()
    with served("tei") as (url, seen):
        reranker = ServerReranker(RerankServer(url))
        assert reranker.rerank("q", texts).tolist() == [0.02, 0.01, 0.04]
        reranker.rerank("q", texts)
        assert ["texts" in body for body in seen] == [False, True, True]


def test_a_server_that_answers_wrongly_is_not_believed() -> None:
    with served("broken") as (url, _):
        reranker = ServerReranker(RerankServer(url))
        with pytest.raises(ModelUnavailable, match="cannot be read"):
            reranker.rerank("q", ["a", "b"])
    with pytest.raises(ModelUnavailable, match="failed"):
        ServerReranker(RerankServer(url, retries=0, timeout_s=1)).rerank("q", ["a"])


# --- a cross-encoder, where sentence-transformers is installed


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of a few thousand random weights with one output, written by this test."""
    pytest.importorskip("sentence_transformers")
    import torch  # noqa: PLC0415 - only where it is installed
    from transformers import (  # noqa: PLC0415
        BertConfig,
        BertForSequenceClassification,
        BertTokenizerFast,
    )

    folder = tmp_path_factory.mktemp("tiny")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "river", "mill", "clock", "apple"]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=32, num_labels=1,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore")
def test_a_cross_encoder_runs_and_is_blended(tiny_model: Path) -> None:
    reranker = CrossEncoderReranker(str(tiny_model))
    texts = ["river mill", "clock", "apple apple river", "river " * 200]
    scores = reranker.rerank("river", texts)
    assert scores.shape == (4,)
    assert ((scores > 0) & (scores < 1)).all()
    assert len(set(scores.tolist())) == 4
    assert reranker.rerank("river", texts[::-1]) == pytest.approx(scores[::-1], abs=1e-5)
    assert len(reranker.rerank("river", [])) == 0
    store = river_store()
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    query = Query(("river mill",), limit=10)
    hits = search(store, view, EMBEDDER, query, vector_store_id=STORE_ID, reranker=reranker).hits
    assert all(hit.explanation.reranker is not None for hit in hits)


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None,
    reason="sentence-transformers is not installed",
)
@pytest.mark.filterwarnings("ignore")
def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelUnavailable, match="no-such-folder"):
        CrossEncoderReranker("/no-such-folder/model")
