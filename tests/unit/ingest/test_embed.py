"""Vectors of windows: order, keys, and that nothing is embedded twice."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from ingest.embed import embed_windows, embedded_text
from retrieval.embedder import HashEmbedder
from retrieval.types import Document, Window

TEXT = "alpha beta | gamma | alpha beta | delta epsilon zeta"
DOCUMENT = Document("text/plain", TEXT, ())


def windows(*prefixes):
    """The four parts of TEXT; the first and the third are equal."""
    made, start = [], 0
    for ordinal, part in enumerate(TEXT.split(" | ")):
        prefix = prefixes[ordinal] if prefixes else ""
        made.append(Window(ordinal, start, start + len(part), len(part.split()), prefix))
        start += len(part) + 3
    return made


@dataclass
class Recorded:
    """A shipped embedder, with a list of every text it was given."""

    inner: HashEmbedder = field(default_factory=HashEmbedder)
    texts: list = field(default_factory=list)
    id: str = "hash-256@recorded"
    dim: int = 256
    max_tokens: int = 256

    def token_spans(self, text):
        return self.inner.token_spans(text)

    def embed(self, texts):
        self.texts.extend(texts)
        return self.inner.embed(texts)

    def embed_query(self, text):
        return self.inner.embed_query(text)


def nothing_cached(_keys):
    return {}


def test_rows_are_in_the_order_of_the_windows():
    keys, vectors = embed_windows(
        DOCUMENT, windows(), embedder=HashEmbedder(), cached=nothing_cached
    )
    np.testing.assert_array_equal(vectors, HashEmbedder().embed(TEXT.split(" | ")))
    assert vectors.dtype == np.float32
    assert [len(key) for key in keys] == [32] * 4


def test_equal_text_is_embedded_once():
    embedder = Recorded()
    keys, vectors = embed_windows(DOCUMENT, windows(), embedder=embedder, cached=nothing_cached)
    assert sorted(embedder.texts) == ["alpha beta", "delta epsilon zeta", "gamma"]
    assert keys[0] == keys[2]
    np.testing.assert_array_equal(vectors[0], vectors[2])


def test_equal_text_under_another_heading_is_another_text():
    embedder = Recorded()
    keys, _ = embed_windows(
        DOCUMENT, windows("A", "", "B", ""), embedder=embedder, cached=nothing_cached
    )
    assert len(set(keys)) == 4
    assert {"A\nalpha beta", "B\nalpha beta"} <= set(embedder.texts)


def test_cached_vectors_are_used_and_asked_for_once():
    embedder, asked = Recorded(), []
    first_keys, first = embed_windows(
        DOCUMENT, windows(), embedder=embedder, cached=nothing_cached
    )
    known = dict(zip(first_keys, first, strict=True))
    embedder.texts.clear()

    def cached(keys):
        asked.append(list(keys))
        return {key: known[key] for key in keys if key != first_keys[1]}

    keys, vectors = embed_windows(DOCUMENT, windows(), embedder=embedder, cached=cached)
    assert embedder.texts == ["gamma"]
    assert len(asked) == 1
    assert len(asked[0]) == len(set(asked[0])) == 3
    assert keys == first_keys
    np.testing.assert_array_equal(vectors, first)


def test_models_share_no_keys():
    of_one, _ = embed_windows(DOCUMENT, windows(), embedder=HashEmbedder(), cached=nothing_cached)
    of_other, _ = embed_windows(DOCUMENT, windows(), embedder=Recorded(), cached=nothing_cached)
    assert not set(of_one) & set(of_other)


def test_progress_counts_windows_up_to_all():
    text = " ".join(f"word{n}" for n in range(100))
    parts, start = [], 0
    for ordinal, word in enumerate(text.split()):
        parts.append(Window(ordinal, start, start + len(word), 1))
        start += len(word) + 1
    done = []
    embed_windows(
        Document("text/plain", text, ()), parts, embedder=HashEmbedder(), cached=nothing_cached,
        progress=done.append,
    )  # fmt: skip
    assert done[-1] == 100
    assert done == sorted(set(done))
    assert len(done) > 1


def test_no_windows_ask_nothing():
    asked = []
    keys, vectors = embed_windows(
        DOCUMENT, [], embedder=HashEmbedder(), cached=lambda keys: asked.append(keys) or {}
    )
    assert (keys, vectors.shape, asked) == ([], (0, 256), [])


def test_window_beyond_the_models_reach_is_refused():
    text = "word " * 300
    window = Window(0, 0, len(text), 300)
    with pytest.raises(ValueError, match="at most 256"):
        embed_windows(
            Document("text/plain", text, ()), [window], embedder=HashEmbedder(),
            cached=nothing_cached,
        )  # fmt: skip


def test_prefix_stands_on_a_line_before_the_text():
    assert embedded_text(DOCUMENT, windows("file name", "", "", "")[0]) == "file name\nalpha beta"
    assert embedded_text(DOCUMENT, windows()[1]) == "gamma"
