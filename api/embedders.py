"""Which embedding model serves which vector store: the process's own, and others it was told of.

A vector store's vectors can only be compared with vectors of the same model, dimension and
revision. What this process has no such model for, it refuses, and says how to go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from api.settings import PREFIX, Settings
from retrieval.embedder import Embedder, load_embedder
from retrieval.embedding_server import EmbeddingServer
from retrieval.errors import IncompatibleStore, InvalidRequest


class Embedders:
    """Models by name and by the id that vector stores record; each loaded once, on first use."""

    def __init__(self, settings: Settings, known_ids: Callable[[], Collection[str]]) -> None:
        """Nothing is loaded yet.

        Args:
            settings: name the models.
            known_ids: the model ids that the data folder's vector stores have recorded.
        """
        self._settings = settings
        self._known_ids = known_ids
        self._lock = threading.RLock()
        self._by_name: dict[str, Embedder] = {}
        self._server = embedding_server(settings)

    @property
    def own_name(self) -> str:
        """The model of new vector stores."""
        return self._server.model if self._server else self._settings.embedder

    @property
    def own(self) -> Embedder:
        """The same, loaded."""
        return self.named(self.own_name)

    def named(self, name: str) -> Embedder:
        """The model of this name; from now on it serves its vector stores too.

        Raises:
            ModelUnavailable: it is not to be had.
        """
        found = self._by_name.get(name)
        if found is not None:
            return found
        with self._lock:
            if name not in self._by_name:
                self._by_name[name] = self._load(name)
            return self._by_name[name]

    def add(self, name: str, embedder: Embedder) -> None:
        """Serve a model of the caller's own under a name."""
        with self._lock:
            self._by_name[name] = embedder

    def of(self, model_id: str, *, store_id: str) -> Embedder:
        """The model of this id.

        Raises:
            IncompatibleStore: this process does not serve that model, or not that revision of it.
        """
        if (own := self.own).id == model_id:
            return own
        others = [name for name in self._settings.also_embedders.split(",") if name.strip()]
        for name in [*self._by_name, *map(str.strip, others)]:
            if (embedder := self.named(name)).id == model_id:
                return embedder
        raise WrongModel(store_id, found=model_id, own=own.id)

    def _load(self, name: str) -> Embedder:
        if self._server is None or name != self._server.model:
            return load_embedder(name, cache=self._settings.cache)
        from retrieval.embedder import default_tokenizer  # noqa: PLC0415
        from retrieval.server_embedder import load_server_embedder  # noqa: PLC0415

        return load_server_embedder(
            self._server, default_tokenizer=default_tokenizer(), known_ids=self._known_ids()
        )


class WrongModel(IncompatibleStore):
    """A vector store is of a model that this process does not serve."""

    def __init__(self, store_id: str, *, found: str, own: str) -> None:
        name = found.rpartition("@")[0]
        super().__init__(
            f"The embedding model of vector store {store_id}", found=found, supported=own
        )
        self.args = (
            (
                f"Vector store {store_id} was made with the embedding model {found}; this process "
                f"uses {own}. Give it this model with `sourcebook reembed --store {store_id}`, or use "
                f"the old one: {PREFIX}EMBEDDER={name}, or {PREFIX}ALSO_EMBEDDERS={name} beside it."
            ),
        )


def embedding_server(settings: Settings) -> EmbeddingServer | None:
    """The server that the settings name, if they name one.

    Raises:
        InvalidRequest: they name a server and no model.
    """
    if settings.embeddings_base_url is None:
        return None
    if settings.embeddings_model is None:
        variable = f"{PREFIX}EMBEDDINGS_MODEL"
        raise InvalidRequest(
            f"{PREFIX}EMBEDDINGS_BASE_URL is set; {variable} has to say which model to ask for.",
            param=variable,
            code="missing_required_parameter",
        )
    tokenizer = settings.embeddings_tokenizer
    return EmbeddingServer(
        base_url=settings.embeddings_base_url,
        model=settings.embeddings_model,
        api_key=settings.embeddings_api_key,
        max_tokens=settings.embeddings_max_tokens,
        tokenizer_file=str(tokenizer) if tokenizer else None,
        document_prefix=settings.embeddings_document_prefix,
        query_prefix=settings.embeddings_query_prefix,
        batch_texts=settings.embeddings_batch_texts,
        timeout_s=settings.embeddings_timeout_s,
    )
