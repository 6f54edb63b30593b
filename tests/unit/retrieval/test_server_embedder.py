"""Models behind a `/v1/embeddings` server, with a real one that misbehaves on purpose."""

import re
from pathlib import Path

import numpy as np
import pytest

from api.embedders import Embedders
from api.engine import Engine
from api.settings import Settings
from retrieval.embedder import default_tokenizer
from retrieval.embedding_server import EmbeddingServer
from retrieval.errors import IncompatibleStore, InvalidRequest, ModelUnavailable
from retrieval.server_embedder import load_server_embedder
from tests.unit.retrieval.embeddings_http import Served, embeddings_server

TEXTS = ["the first text", "another one", "", "a third, of some more words than the others"]


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.fixture(scope="module")
def tokenizer():
    return default_tokenizer()


@pytest.fixture
def served():
    return Served()


@pytest.fixture
def url(served):
    with embeddings_server(served) as url:
        yield url


@pytest.fixture
def load(url, tokenizer):
    def load(known_ids=(), **fields):
        server = EmbeddingServer(base_url=url, model="some/model", **{"timeout_s": 5.0, **fields})
        return load_server_embedder(server, default_tokenizer=tokenizer, known_ids=known_ids)

    return load


def test_vectors_are_those_of_the_server_and_unit(load, served):
    embedder = load()
    assert embedder.dim == 64
    rows = embedder.embed(TEXTS)
    assert_same(rows[[0, 1, 3]], served.model.embed([TEXTS[0], TEXTS[1], TEXTS[3]]))
    assert_same(np.linalg.norm(rows, axis=1), 1)
    assert_same(embedder.embed_query(TEXTS[0]), rows[0])
    assert embedder.embed([]).shape == (0, 64)


@pytest.mark.parametrize("mishap", [429, 500, 502, 503, 408, "cut", "stall"])
def test_what_passes_is_tried_again(mishap, load, served):
    embedder = load(timeout_s=1.0)
    served.mishaps = [mishap]
    before = len(served.requests)
    assert_same(embedder.embed(TEXTS[:1])[0], served.model.embed(TEXTS[:1])[0])
    assert len(served.requests) == before + 2


def test_the_pause_that_the_server_asks_for_is_kept(load, served):
    embedder = load()
    served.mishaps = [(429, "1")]
    embedder.embed(TEXTS[:1])
    assert served.times[-1] - served.times[-2] >= 1.0


def test_what_does_not_pass_is_reported(load, served):
    embedder = load()
    served.mishaps = [503] * 20
    with pytest.raises(ModelUnavailable, match=r"some/model.*failed"):
        embedder.embed(TEXTS[:1])
    served.mishaps = [401]
    with pytest.raises(ModelUnavailable, match="EMBEDDINGS_API_KEY"):
        embedder.embed(TEXTS[:1])


def test_a_server_that_is_not_there_is_named(tokenizer):
    server = EmbeddingServer(base_url="http://127.0.0.1:9/v1", model="m", retries=0)
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:9.*could not be reached"):
        load_server_embedder(server, default_tokenizer=tokenizer)


@pytest.mark.parametrize(
    ("mishap", "told"),
    [
        ("short", "not one for each"),
        ("twice", "not one for each"),
        ("ragged", "several lengths"),
        ("not a number", "point nowhere"),
        ("other dimension", "32 numbers instead of 64"),
        ("html", "cannot be read"),
    ],
)
def test_a_wrong_answer_is_not_believed(mishap, told, load, served):
    embedder = load()
    served.no_base64 = mishap == "ragged"
    served.mishaps = [mishap, mishap]
    with pytest.raises(ModelUnavailable, match=told):
        embedder.embed(TEXTS[:3])


def test_vectors_go_by_their_index(load, served):
    embedder = load()
    served.mishaps = ["shuffled"]
    assert_same(embedder.embed(TEXTS[:2]), served.model.embed(TEXTS[:2]))


def test_a_server_without_base64_is_asked_for_numbers(load, served):
    served.no_base64 = True
    embedder = load()
    assert_same(embedder.embed(TEXTS[:2]), served.model.embed(TEXTS[:2]))
    assert served.requests[0]["encoding_format"] == "base64"
    assert [each["encoding_format"] for each in served.requests[2:]] == ["float"] * (
        len(served.requests) - 2
    )


def test_requests_stay_within_texts_and_tokens(load, served):
    embedder = load(batch_texts=3, batch_tokens=100)
    before = len(served.requests)
    embedder.embed(["word"] * 7)
    assert [len(each["input"]) for each in served.requests[before:]] == [3, 3, 1]
    before = len(served.requests)
    embedder.embed(["word " * 40] * 4)
    assert [len(each["input"]) for each in served.requests[before:]] == [2, 2]


def test_windows_are_half_of_its_reach_unless_its_tokenizer_is_named(load, tokenizer, tmp_path):
    assert load(max_tokens=512).max_tokens == 254
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    assert load(max_tokens=512, tokenizer_file=str(path)).max_tokens == 508
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        load(tokenizer_file=str(tmp_path / "none.json"))


def test_longer_texts_are_refused_and_longer_queries_read_up_to_there(load, served):
    embedder = load(max_tokens=64)
    with pytest.raises(ValueError, match="reads at most 30"):
        embedder.embed(["word " * 29])
    assert embedder.embed(["word " * 28]).shape == (1, 64)
    embedder.embed_query("word " * 100)
    assert served.requests[-1]["input"][0].split() == ["word"] * 28


def test_scripts_the_tokenizer_does_not_know_count_by_letters(load):
    embedder = load()
    text = "สวัสดีชาวโลก hello"
    spans = embedder.token_spans(text)
    assert len(spans) >= len("สวัสดีชาวโลก") - 3
    assert (np.diff(spans[:, 0]) >= 0).all()
    assert text[slice(*spans[-1])] == "hello"


def test_a_server_that_silently_cuts_is_found_out(load, served):
    served.reads_words = 300
    with pytest.raises(ModelUnavailable, match=r"silently drops.*EMBEDDINGS_MAX_TOKENS"):
        load(max_tokens=512)
    assert load(max_tokens=256).max_tokens == 126


def test_a_server_that_refuses_its_stated_length_says_what_to_set(load, served):
    served.refuses_over_words = 300
    with pytest.raises(ModelUnavailable, match="EMBEDDINGS_MAX_TOKENS"):
        load(max_tokens=512)


def test_prefixes_go_before_texts_and_queries(load, served):
    embedder = load(document_prefix="passage: ", query_prefix="query: ")
    embedder.embed(["a text"])
    assert served.requests[-1]["input"] == ["passage: a text"]
    embedder.embed_query("a question")
    assert served.requests[-1]["input"] == ["query: a question"]
    assert embedder.max_tokens == 252


def test_the_fingerprint_tells_models_apart_and_stands_rounding(load, served):
    one = load()
    assert re.fullmatch(r"some/model@64-[0-9a-f]{16}", one.id)
    served.noise = 1e-4
    assert load(known_ids=["other@00", "some/model@48-00ff", one.id]).id == one.id
    served.noise = 0.0
    changed = load(known_ids=[one.id], document_prefix="passage: ")  # other vectors, so another id
    assert changed.id != one.id
    served.model = type(served.model)(dim=48, max_tokens=10**6)
    assert load(known_ids=[one.id]).id != one.id


def test_the_key_is_sent(load, served):
    load(api_key="secret")
    assert set(served.keys) == {"Bearer secret"}


def test_settings_choose_the_server_and_a_store_remembers_it(url, tmp_path):
    chosen = Settings(
        data=tmp_path / "data", embeddings_base_url=url, embeddings_model="m", embedder="hash"
    )
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("Penguins live on the southern ice.")
    (folder / "b.txt").write_text("Camels cross the desert at night.")
    with Engine.open(settings=chosen) as engine:
        report = engine.add(folder, store="s")
        assert not report.failures
        assert engine.find("ice of penguins", store="s").hits[0].filename == "a.txt"
        assert engine.resolve_store("s").model_id == engine.embedder.id
    with (
        Engine.open(settings=Settings(data=tmp_path / "data", embedder="hash")) as engine,
        pytest.raises(IncompatibleStore, match="sourcebook reembed --store"),
    ):
        engine.find("ice", store="s")


def test_a_server_needs_a_model():
    settings = Settings(data=Path(), embeddings_base_url="http://localhost:1/v1")
    with pytest.raises(InvalidRequest, match="SOURCEBOOK_EMBEDDINGS_MODEL"):
        Embedders(settings, set)
