"""Embedding models behind any server that speaks OpenAI's `/v1/embeddings`.

Ollama, Text Embeddings Inference, vLLM, OpenAI and others; `embedding_server.py` talks to them.

Servers do not tell which weights they run, so the revision is a fingerprint of the vectors that
they give to fixed sentences.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from retrieval.embedding_server import Connection, EmbeddingServer, check_reach
from retrieval.errors import ModelUnavailable
from retrieval.token_spans import plain_tokenizer, token_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from retrieval.types import Vectors

# By the default model's tokenizer a text is counted shorter than another model may count it:
# then windows are at most half as long as the server's reach. A tokenizer of its own needs only
# what tokenizers that mark the starts of words differ by.
_FOREIGN_MARGIN = 2
_SPARE_TOKENS = 4
_N_SPECIAL_TOKENS = 2
_LAST_LATIN = "\u024f"  # the default tokenizer knows few words of the scripts beyond
_QUERY_RETRIES = 2  # somebody is waiting
_FINGERPRINT_BITS = 64
# Of two numeric paths through one model (batch sizes, half precision) less than one sign in a
# thousand differs; of two models every second one.
_SAME_MODEL_BITS = 1
_PROBES = (
    "The quick brown fox jumps over the lazy dog.",
    "Revenue grew by 12% in the third quarter of 2023.",
    "How is a password reset?",
)


@dataclass(frozen=True, slots=True)
class ServerEmbedder:
    """See `retrieval.embedder.Embedder`; windows are cut by `_tokenizer`, with a margin."""

    id: str
    dim: int
    max_tokens: int
    _connection: Connection = field(repr=False)
    _tokenizer: Tokenizer = field(repr=False)

    def token_spans(self, text: str) -> NDArray[np.int32]:
        """See `Embedder.token_spans`. Scripts the tokenizer may not know: a token a letter."""
        return _server_spans(self._connection.server, self._tokenizer, text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`.

        Raises:
            ValueError: a text has more than `max_tokens`.
            ModelUnavailable: the server cannot be reached, keeps failing, or answers wrongly.
        """
        counts = [len(self.token_spans(text)) + _N_SPECIAL_TOKENS for text in texts]
        longest = max(counts, default=0)
        if longest > self.max_tokens:
            msg = f"A text has {longest} tokens; {self.id} reads at most {self.max_tokens}."
            raise ValueError(msg)
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        prefix = self._connection.server.document_prefix
        for batch in _batches(counts, self._connection.server):
            vectors = self._connection.vectors([prefix + texts[i] for i in batch])
            self._check_dim(vectors)
            rows[batch] = vectors
        return rows

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        spans = self.token_spans(text)
        n_read = self.max_tokens - _N_SPECIAL_TOKENS
        if len(spans) > n_read:
            text = text[: spans[n_read - 1][1]]
        asked = self._connection.server.query_prefix + text
        vectors = self._connection.vectors([asked], max_retries=_QUERY_RETRIES)
        self._check_dim(vectors)
        row: NDArray[np.float32] = vectors[0]
        return row

    def _check_dim(self, vectors: Vectors) -> None:
        if vectors.shape[1] != self.dim:
            raise ModelUnavailable(
                f"{self._connection} now gives vectors of {vectors.shape[1]} numbers instead of "
                f"{self.dim}: it serves another model than before."
            )


def load_server_embedder(
    server: EmbeddingServer, *, default_tokenizer: Tokenizer, known_ids: Collection[str] = ()
) -> ServerEmbedder:
    """Ask the server for its dimension, its fingerprint, and whether it reads what it should.

    Args:
        server: the address and what is stated of the model.
        default_tokenizer: counts tokens where `server` names no tokenizer.
        known_ids: ids that vector stores have recorded; a fingerprint that differs from one of
            them by no more than rounding takes it.

    Raises:
        ModelUnavailable: it cannot be reached, answers wrongly, or cuts texts that are shorter
            than its stated reach.
    """
    connection = Connection(server)
    vectors = connection.vectors([server.document_prefix + probe for probe in _PROBES])
    check_reach(connection)
    tokenizer = _named_tokenizer(server) or default_tokenizer
    n_prefix = len(_server_spans(server, tokenizer, server.document_prefix))
    margin = 1 if server.tokenizer_file else _FOREIGN_MARGIN
    return ServerEmbedder(
        id=_recorded(f"{server.model}@{_revision(vectors)}", known_ids),
        dim=vectors.shape[1],
        max_tokens=(server.max_tokens - _SPARE_TOKENS) // margin - n_prefix,
        _connection=connection,
        _tokenizer=tokenizer,
    )


def _named_tokenizer(server: EmbeddingServer) -> Tokenizer | None:
    if server.tokenizer_file is None:
        return None
    try:
        with open(server.tokenizer_file, encoding="utf-8") as file:  # noqa: PTH123
            return plain_tokenizer(file.read())
    except Exception as exc:  # the library raises bare exceptions for bad files
        raise ModelUnavailable(
            f"The tokenizer {server.tokenizer_file} cannot be read: {exc}"
        ) from exc


def _server_spans(server: EmbeddingServer, tokenizer: Tokenizer, text: str) -> NDArray[np.int32]:
    spans = token_spans(tokenizer, text)
    if server.tokenizer_file or text.isascii():
        return spans
    return _letters_apart(spans, text)


def _letters_apart(spans: NDArray[np.int32], text: str) -> NDArray[np.int32]:
    """Words beyond the Latin script, which may be one unknown token, as a token a letter."""
    found: list[tuple[int, int]] = []
    for start, end in spans.tolist():
        if end - start > 1 and max(text[start:end]) > _LAST_LATIN:
            found.extend((place, place + 1) for place in range(start, end))
        else:
            found.append((start, end))
    return np.array(found, dtype=np.int32).reshape(-1, 2)


def _batches(counts: Sequence[int], server: EmbeddingServer) -> Iterator[list[int]]:
    """Indexes of texts in the order given, as many as one request takes."""
    batch: list[int] = []
    n_tokens = 0
    for index, count in enumerate(counts):
        full = len(batch) == server.batch_texts or n_tokens + count > server.batch_tokens
        if batch and full:
            yield batch
            batch, n_tokens = [], 0
        batch.append(index)
        n_tokens += count
    if batch:
        yield batch


def _revision(vectors: Vectors) -> str:
    """The dimension, and 16 hex digits: signs of the vectors' mean along fixed directions."""
    n_columns = vectors.shape[1]
    stream = hashlib.shake_256(b"sourcebook").digest(_FINGERPRINT_BITS * n_columns)
    directions = np.frombuffer(stream, np.uint8).reshape(_FINGERPRINT_BITS, n_columns) & 1
    along = (2.0 * directions - 1.0) @ vectors.mean(axis=0)
    return f"{n_columns}-{bytes(np.packbits(along > 0)).hex()}"


def _recorded(id: str, known_ids: Collection[str]) -> str:
    """The id, or the recorded one of the same model and dimension with a fingerprint next to it."""
    stem, _, bits = id.rpartition("-")
    for known in known_ids:
        known_stem, _, known_bits = known.rpartition("-")
        if known_stem == stem and _n_different(bits, known_bits) <= _SAME_MODEL_BITS:
            return known
    return id


def _n_different(one: str, other: str) -> int:
    """Bits in which two fingerprints differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
