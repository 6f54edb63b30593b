"""Models by sentence-transformers, with a tiny one built here."""

import numpy as np
import pytest

from retrieval.embedder import load_embedder
from retrieval.errors import ModelUnavailable

# PyTorch is an extra that the locked environment leaves out (decision 0001), so these run where
# someone installed sourcebook[models].
sentence_transformers = pytest.importorskip(
    "sentence_transformers", reason="needs the `models` extra"
)
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "clock",
    "time",
    "noon",
    "hour",
    ".",
    ",",
    "a",
    "b",
    "c",
    "##a",
    "##b",
    "##c",
]


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    """A folder with a BERT of one layer and 16 dimensions, weights drawn with a fixed seed."""
    folder = tmp_path_factory.mktemp("tiny")
    transformers.BertTokenizerFast(
        vocab={word: i for i, word in enumerate(WORDS)}
    ).save_pretrained(folder / "bert")
    torch.manual_seed(7)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(folder / "bert")
    # Mean pooling is what it adds to a plain transformer.
    model = sentence_transformers.SentenceTransformer(str(folder / "bert"), device="cpu")
    model.max_seq_length = 64
    model.save(str(folder / "model"))
    return str(folder / "model")


def test_model_in_a_folder_embeds_windows_and_queries(tiny_model, tmp_path):
    embedder = load_embedder(tiny_model, cache=tmp_path)
    vectors = embedder.embed(["clock time", "noon", "noon hour . a abc"])
    assert vectors.shape == (3, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedder.embed_query("noon"), vectors[1], atol=1e-5)
    assert embedder.embed([]).shape == (0, 16)


def test_id_follows_the_weights(tiny_model, tmp_path):
    first, again = (load_embedder(tiny_model, cache=tmp_path) for _ in range(2))
    assert first.id == again.id
    name, revision = first.id.rsplit("@", 1)
    assert name == tiny_model
    assert len(revision) == 12


def test_spans_and_limit(tiny_model, tmp_path):
    embedder = load_embedder(tiny_model, cache=tmp_path)
    text = "clock, abc noon"
    spans = [text[start:end] for start, end in embedder.token_spans(text)]
    assert spans == ["clock", ",", "a", "b", "c", "noon"]
    assert embedder.max_tokens <= 64
    embedder.embed(["noon " * (embedder.max_tokens - 2)])
    with pytest.raises(ValueError, match="reads at most"):
        embedder.embed(["noon " * 100])
    assert embedder.embed_query("noon " * 100).shape == (16,)


def test_model_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_embedder(str(tmp_path / "nothing here"), cache=tmp_path)
