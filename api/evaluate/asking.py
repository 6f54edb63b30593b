"""Who answers the questions: this process, or a server over HTTP, as a stranger would ask it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from api.engine import Engine
from api.evaluate.judged import JudgedSet, SetDocument
from retrieval.errors import NotFound, StoreUnwritable, Unavailable
from retrieval.queries import HybridWeights, Query, Ranker
from retrieval.types import Attachment, BatchMember, ChunkingStrategy, PageRequest, VectorStore

_POLL_S = 0.2
_FILES_AT_ONCE = 200  # of one batch
_HTTP_TIMEOUT_S = 300.0

T = TypeVar("T")
OnProgress = Callable[[int, int], None]  # documents done, documents in all


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a search request says of how to rank."""

    ranker: Ranker = "auto"
    weights: HybridWeights | None = None
    rewrite: bool = False


# By the names the command line takes. Each leg by itself is the contract's `hybrid_search` with
# all weight on it: reciprocal ranks of one ranking leave its order as it is.
RANKINGS: Final = {
    "auto": Ranking(),
    "none": Ranking("none"),
    "default-2024-11-15": Ranking("default-2024-11-15"),
    "rewrite": Ranking(rewrite=True),
    "bm25": Ranking(weights=HybridWeights(embedding=0.0, text=1.0)),
    "dense": Ranking(weights=HybridWeights(embedding=1.0, text=0.0)),
    "rrf": Ranking(weights=HybridWeights(embedding=1.0, text=1.0)),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A hit, as far as it is judged."""

    filename: str
    text: str
    score: float


class Asker(Protocol):
    """Indexes judged sets, and searches them."""

    def store(self, name_or_id: str) -> str:
        """The id of a vector store that is there already, or NotFound."""

    def index(
        self, judged: JudgedSet, chunking: ChunkingStrategy, *, fresh: bool, progress: OnProgress
    ) -> str:
        """The id of a vector store with all of the set's documents, searchable.

        One made earlier of the same documents is used again, unless `fresh` is asked for.
        """

    def search(self, store_id: str, text: str, ranking: Ranking, *, limit: int) -> list[Found]:
        """The hits for one question, best first."""


def store_name(judged: JudgedSet, chunking: ChunkingStrategy) -> str:
    """What the vector store of a set is called: the same for the same documents and chunks."""
    size, overlap = chunking.max_chunk_size_tokens, chunking.chunk_overlap_tokens
    return f"eval:{judged.name}:{size}-{overlap}:{judged.fingerprint()}"


# --- in this process --------------------------------------------------------------------------


class InProcess:
    """Asks an open engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def store(self, name_or_id: str) -> str:
        """See `Asker.store`."""
        return self.engine.resolve_store(name_or_id).id

    def index(
        self, judged: JudgedSet, chunking: ChunkingStrategy, *, fresh: bool, progress: OnProgress
    ) -> str:
        """See `Asker.index`; a run that was stopped is taken up where it was."""
        name = store_name(judged, chunking)
        if fresh:
            self._drop(name)
        store = self._of_name(name)
        present = {attached.filename for attached in self.attached(store.id)}
        missing = [each for each in judged.documents if each.filename not in present]
        self.engine.start_worker()
        for some in _batched(missing, _FILES_AT_ONCE):
            members = [BatchMember(self._upload(each), each.attributes, chunking) for each in some]
            self.engine.create_batch(store.id, members)
        self._wait(store.id, progress)
        return store.id

    def search(self, store_id: str, text: str, ranking: Ranking, *, limit: int) -> list[Found]:
        """See `Asker.search`."""
        query = Query(
            (text,),
            limit=limit,
            ranker=ranking.ranker,
            weights=ranking.weights,
            rewrite=ranking.rewrite,
        )
        hits = self.engine.search([store_id], query).hits
        return [Found(hit.filename, hit.text, hit.score) for hit in hits]

    def _of_name(self, name: str) -> VectorStore:
        try:
            return self.engine.resolve_store(name)
        except NotFound:
            return self.engine.create_vector_store(name=name)

    def _drop(self, name: str) -> None:
        try:
            store = self.engine.resolve_store(name)
        except NotFound:
            return
        for attached in list(self.attached(store.id)):
            self.engine.delete_file(attached.file_id)
        self.engine.delete_vector_store(store.id)

    def _upload(self, document: SetDocument) -> str:
        with document.open() as content:
            return self.engine.upload(content, filename=document.filename).id

    def attached(self, store_id: str) -> Iterator[Attachment]:
        """Every file of a vector store."""
        after: str | None = None
        while True:
            request = PageRequest(limit=1000, order="asc", after=after)
            page = self.engine.attachments(store_id, request)
            yield from page.items
            if not page.has_more:
                return
            after = page.items[-1].file_id

    def _wait(self, store_id: str, progress: OnProgress) -> None:
        while (counts := self.engine.vector_store(store_id).counts).in_progress:
            progress(counts.total - counts.in_progress, counts.total)
            if isinstance(hindrance := self.engine.hindered_by(), StoreUnwritable):
                raise hindrance
            time.sleep(_POLL_S)
        _check_complete(counts.failed, counts.total)
        self.engine.refresh_indexes([store_id])
        progress(counts.total, counts.total)


def _check_complete(n_failed: int, n_files: int) -> None:
    if n_failed:
        raise Unavailable(
            f"{n_failed} of {n_files} documents could not be indexed: figures would mean nothing."
        )


def _batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


# --- over HTTP --------------------------------------------------------------------------------


class OverHttp:
    """Asks a server through the official client: any service of this API, not only ours."""

    def __init__(self, base_url: str, *, api_key: str | None) -> None:
        from openai import OpenAI  # noqa: PLC0415 - takes a second

        self._client = OpenAI(
            base_url=base_url, api_key=api_key or "none", timeout=_HTTP_TIMEOUT_S
        )

    def store(self, name_or_id: str) -> str:
        """See `Asker.store`."""
        for store in self._client.vector_stores.list():
            if name_or_id in {store.id, store.name}:
                return store.id
        raise NotFound("vector_store", name_or_id)

    def index(
        self, judged: JudgedSet, chunking: ChunkingStrategy, *, fresh: bool, progress: OnProgress
    ) -> str:
        """See `Asker.index`; whole documents, each one file."""
        name = store_name(judged, chunking)
        known = [] if fresh else [s for s in self._client.vector_stores.list() if s.name == name]
        for store in known:
            if store.file_counts.completed == len(judged.documents):
                return store.id
        store_id = self._client.vector_stores.create(name=name).id
        n_done = 0
        for some in _batched(judged.documents, _FILES_AT_ONCE):
            self._attach(store_id, some, chunking)
            n_done += len(some)
            progress(n_done, len(judged.documents))
        return store_id

    def search(self, store_id: str, text: str, ranking: Ranking, *, limit: int) -> list[Found]:
        """See `Asker.search`; nothing but the default request for the ranking `auto`."""
        options: dict[str, Any] = {}
        if ranking.ranker != "auto":
            options["ranker"] = ranking.ranker
        if ranking.weights:
            options["hybrid_search"] = {
                "embedding_weight": ranking.weights.embedding,
                "text_weight": ranking.weights.text,
            }
        extra: dict[str, Any] = {"ranking_options": options} if options else {}
        if ranking.rewrite:
            extra["rewrite_query"] = True
        page = self._client.vector_stores.search(
            store_id, query=text, max_num_results=limit, extra_body=extra
        )
        return [
            Found(hit.filename, "\n".join(part.text for part in hit.content), hit.score)
            for hit in page.data
        ]

    def _attach(
        self, store_id: str, documents: Iterable[SetDocument], chunking: ChunkingStrategy
    ) -> None:
        batch = self._client.vector_stores.file_batches.create(
            store_id,
            file_ids=[self._upload(document) for document in documents],
            **_strategy(chunking),
        )
        while batch.file_counts.in_progress:
            time.sleep(_POLL_S)
            batch = self._client.vector_stores.file_batches.retrieve(
                batch.id, vector_store_id=store_id
            )
        _check_complete(batch.file_counts.failed, batch.file_counts.total)

    def _upload(self, document: SetDocument) -> str:
        with document.open() as content:
            sent = (document.filename, content.read())
        return self._client.files.create(file=sent, purpose="assistants").id


def _strategy(chunking: ChunkingStrategy) -> dict[str, Any]:
    """The request's chunking; nothing for the default, as a stranger would leave it out."""
    if chunking == ChunkingStrategy():
        return {}
    static = {
        "max_chunk_size_tokens": chunking.max_chunk_size_tokens,
        "chunk_overlap_tokens": chunking.chunk_overlap_tokens,
    }
    return {"chunking_strategy": {"type": "static", "static": static}}
