"""Embedding models by sentence-transformers, for every name that is not built in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import ModelUnavailable
from retrieval.token_spans import plain_tokenizer, readable, token_spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from retrieval.types import Vectors

_BATCH_TEXTS = 8
# Tokenizers that mark word starts can count a token more when a text begins elsewhere.
_SPARE_TOKENS = 4
_DEFAULT_MAX_TOKENS = 512  # where the model does not say; the reach of BERT and its children


@dataclass(frozen=True, slots=True)
class HubEmbedder:
    """A sentence-transformers model, read from the hub's local cache, the hub, or a folder."""

    id: str
    dim: int
    max_tokens: int
    _model: Any  # sentence_transformers.SentenceTransformer
    _tokenizer: Tokenizer

    def token_spans(self, text: str) -> NDArray[np.int32]:
        """See `Embedder.token_spans`."""
        return token_spans(self._tokenizer, text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        reach = self.max_tokens + _SPARE_TOKENS
        readable_texts = [readable(text) for text in texts]
        encodings = self._tokenizer.encode_batch(readable_texts)
        longest = max((len(encoding.ids) for encoding in encodings), default=0)
        if longest > reach:
            msg = f"A text has {longest} tokens; {self.id} reads at most {reach}."
            raise ValueError(msg)
        rows = self._model.encode_document(
            readable_texts, batch_size=_BATCH_TEXTS, **_AS_UNIT_ROWS
        )
        return np.asarray(rows, dtype=np.float32).reshape(-1, self.dim)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`; the model's own limit cuts."""
        row = self._model.encode_query(readable(text), **_AS_UNIT_ROWS)
        return np.asarray(row, dtype=np.float32)


_AS_UNIT_ROWS: dict[str, bool] = {
    "normalize_embeddings": True,
    "convert_to_numpy": True,
    "show_progress_bar": False,
}


def load_hub_embedder(name: str) -> HubEmbedder:
    """The model sentence-transformers knows by this name, or a folder that holds one.

    Raises:
        ModelUnavailable: sentence-transformers is not installed, or does not get the model.
    """
    model = _load(name)
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelUnavailable(f"{name!r} has no fast tokenizer, so places cannot be found by it.")
    tokenizer = plain_tokenizer(backend.to_str())
    n_prompt_tokens = len(tokenizer.encode(_document_prompt(model), add_special_tokens=False).ids)
    reach = int(model.max_seq_length or _DEFAULT_MAX_TOKENS)
    return HubEmbedder(
        id=f"{name}@{_revision(model)}",
        dim=int(model.get_embedding_dimension()),
        max_tokens=reach - n_prompt_tokens - _SPARE_TOKENS,
        _model=model,
        _tokenizer=tokenizer,
    )


def _load(name: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415  extra, 10 seconds
    except ImportError as exc:
        raise ModelUnavailable(
            f"{name!r} is not a built-in embedding model, and sentence-transformers, which would "
            "load it, is not installed. Run: pip install 'sourcebook[models]'"
        ) from exc
    try:
        return SentenceTransformer(name)
    except (OSError, ValueError, KeyError) as exc:  # what it raises for names and folders
        raise ModelUnavailable(f"The embedding model {name!r} cannot be loaded: {exc}") from exc


def _document_prompt(model: Any) -> str:
    """What sentence-transformers puts before every document; empty for most models."""
    prompts: dict[str, str] = model.prompts
    return prompts.get("document") or prompts.get("passage") or ""


def _revision(model: Any) -> str:
    """12 hex digits of the sha256 over all weights, by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
    return digest.hexdigest()[:12]
