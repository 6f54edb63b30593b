"""Queries of many callers: alone at once, together where they wait, each with its own vector."""

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedder import DEFAULT_MODEL, HashEmbedder, load_embedder
from retrieval.query_embedding import QueryEmbedding


@pytest.fixture(scope="module")
def minilm():
    with tempfile.TemporaryDirectory() as folder:
        yield load_embedder(DEFAULT_MODEL, cache=Path(folder))


class Slow:
    """Batches texts of equal length, and waits in each run until it is let go."""

    id, dim, max_tokens, max_batch_tokens = "slow@0", 2, 256, 8

    def __init__(self):
        self.runs = []
        self.started = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def token_spans(self, text):
        raise NotImplementedError

    def embed(self, texts):
        raise NotImplementedError

    def embed_query(self, text):
        raise NotImplementedError

    def query_ids(self, text):
        return [ord(letter) for letter in text]

    def embed_ids(self, ids):
        self.runs.append(["".join(map(chr, each)) for each in ids])
        self.started.release()
        assert self.go_on.acquire(timeout=30)
        if any(0 in each for each in ids):
            raise ValueError("zero")
        return np.array([[each[0], len(each)] for each in ids], dtype=np.float32)


def waiting(queries, n, timeout_s=30):
    """Until so many callers sleep."""
    deadline = time.monotonic() + timeout_s
    while len(queries._together._queue) < n:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_vectors_are_those_of_the_embedder_whatever_goes_along(minilm):
    texts = [f"{word} {n}" for n in range(30) for word in ("valve", "a longer question about")]
    queries = QueryEmbedding(minilm, n_remembered=0)
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(queries.embed_query, texts))
    alone = [minilm.embed_query(text) for text in texts]
    assert np.abs(np.stack(made) - np.stack(alone)).max() < 1e-5


@pytest.fixture
def one_core(monkeypatch):
    monkeypatch.setattr("retrieval.query_embedding.n_cores", lambda: 1)
    return 1


def test_those_of_one_length_that_wait_run_together(one_core):
    slow, n = Slow(), one_core
    queries = QueryEmbedding(slow, n_remembered=0)
    with ThreadPoolExecutor(n + 4) as threads:
        first = [threads.submit(queries.embed_query, "abc") for _ in range(n)]
        for _ in range(n):
            assert slow.started.acquire(timeout=30)
        later = []
        for i, text in enumerate(["dd", "eee", "ff", "gg"]):
            later.append(threads.submit(queries.embed_query, text))
            waiting(queries, i + 1)
        for _ in range(n + 4):
            slow.go_on.release()
        assert [f.result(30)[1] for f in first] == [3] * n
        assert [chr(int(f.result(30)[0])) for f in later] == ["d", "e", "f", "g"]
    assert slow.runs == [["abc"], ["dd", "ff", "gg"], ["eee"]]


def test_a_run_takes_no_more_tokens_than_the_model_wants(one_core):
    slow, n = Slow(), one_core
    queries = QueryEmbedding(slow, n_remembered=0)
    with ThreadPoolExecutor(n + 5) as threads:
        first = [threads.submit(queries.embed_query, "a") for _ in range(n)]
        for _ in range(n):
            assert slow.started.acquire(timeout=30)
        later = [threads.submit(queries.embed_query, "xxx") for _ in range(5)]
        waiting(queries, 5)
        for _ in range(n + 5):
            slow.go_on.release()
        for each in [*first, *later]:
            each.result(30)
    assert max(map(len, slow.runs)) == 2  # 2 texts of 3 tokens fit into 8


def test_an_error_reaches_those_it_concerns_and_nobody_else(one_core):
    slow, n = Slow(), one_core
    queries = QueryEmbedding(slow, n_remembered=8)
    for _ in range(4 * n + 4):
        slow.go_on.release()
    with ThreadPoolExecutor(4) as threads:
        bad = threads.submit(queries.embed_query, "\0")
        assert isinstance(bad.exception(30), ValueError)
        for text in ("aa", "bb", "cc"):
            assert threads.submit(queries.embed_query, text).result(30)[1] == 2
    assert queries._together._n_free == n


def test_a_text_asked_again_is_remembered_until_others_push_it_out():
    slow = Slow()
    queries = QueryEmbedding(slow, n_remembered=2)
    for _ in range(10):
        slow.go_on.release()
    for text in ("a", "b", "a", "c", "a", "b"):
        queries.embed_query(text)
    assert slow.runs == [["a"], ["b"], ["c"], ["b"]]
    with pytest.raises(ValueError, match="read-only"):
        queries.embed_query("a")[0] = 1


def test_nothing_is_remembered_where_nothing_shall_be():
    slow = Slow()
    queries = QueryEmbedding(slow, n_remembered=0)
    for _ in range(2):
        slow.go_on.release()
        queries.embed_query("a")
    assert slow.runs == [["a"], ["a"]]


def test_an_embedder_that_does_not_batch_is_called_as_it_is():
    embedder = HashEmbedder()
    queries = QueryEmbedding(embedder, n_remembered=1)
    assert (queries.embed_query("valve") == embedder.embed_query("valve")).all()


def test_a_lone_query_is_on_its_way_while_its_search_does_something_else():
    slow = Slow()
    queries = QueryEmbedding(slow, n_remembered=1)
    begun = queries.begin(("abc", "de"))
    assert slow.started.acquire(timeout=30)  # nobody asked for it yet
    busy = queries.begin(("xyz",))
    assert not busy.coming
    for _ in range(3):
        slow.go_on.release()
    assert begun.embed_query("abc")[1] == 3
    assert begun.embed_query("de")[1] == 2
    assert not queries.begin(("de",)).coming  # it is known
    queries.close()


def test_an_error_on_the_way_is_raised_where_the_vector_is_asked_for():
    slow = Slow()
    slow.go_on.release()
    queries = QueryEmbedding(slow, n_remembered=0)
    begun = queries.begin(("\0",))
    with pytest.raises(ValueError, match="zero"):
        begun.embed_query("\0")
    queries.close()
