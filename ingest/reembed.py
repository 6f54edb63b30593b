"""THE OTHER WRITE PATH: a vector store gets another embedding model while it goes on serving.

    stored text → cut → embed → keep beside the old, file by file;  then one switch

Files are cut anew, since another model reads windows of another length. What is ready stays ready
over a crash, and what is indexed meanwhile, with the old model, is taken along before the switch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingest.chunk import cut_chunks, cut_windows
from ingest.embed import embed_windows
from ingest.pieces import Source
from ingest.pipeline import GROUP_WINDOWS, cache_reader, stored_document, stretch_of
from ingest.spool import ChunkSpool
from ingest.window_table import WindowTable
from retrieval.embedder import Embedder
from retrieval.errors import NotFound
from retrieval.faults import point
from retrieval.store import Store
from retrieval.store.reembeddings import Content, Superseded

_FILES_AT_ONCE = 64  # looked up at a time; each is a transaction of its own


@dataclass(frozen=True, slots=True)
class Reembedded:
    """What was done."""

    old_model: str
    new_model: str
    n_files: int  # whose windows were made, those of this run
    n_windows: int


def reembed(
    store: Store,
    vector_store_id: str,
    embedder: Embedder,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Reembedded:
    """Give a vector store the model of `embedder`; on return all of it is, durably.

    Args:
        store: searches and commits on it go on; those under way with the old model are tried
            again with the new one after the switch.
        vector_store_id: which one. If it has the model already, nothing happens.
        embedder: the new model.
        progress: told how many files of how many are ready; may raise to stop, and a later call
            goes on from there.

    Raises:
        NotFound: no such vector store.
        Unavailable: somebody else is giving it a model, or the model cannot be reached.
    """
    with store.write() as tables:
        old_model = tables.commits.model_id(vector_store_id)
        if old_model == embedder.id:
            tables.reembeddings.drop(vector_store_id)
            return Reembedded(old_model, embedder.id, 0, 0)
        tables.reembeddings.begin(vector_store_id, embedder.id)
    n_files = n_windows = 0
    while True:
        with store.read() as view:
            contents = view.reembeddings.outdated(vector_store_id, limit=_FILES_AT_ONCE)
            n_ready, n_all = view.reembeddings.progress(vector_store_id)
        for content in contents:
            n_windows += _prepare(content, vector_store_id, store=store, embedder=embedder)
            n_files, n_ready = n_files + 1, n_ready + 1
            if progress:
                progress(min(n_ready, n_all), n_all)
        if not contents and _switch(vector_store_id, store=store, embedder=embedder):
            return Reembedded(old_model, embedder.id, n_files, n_windows)


def _switch(vector_store_id: str, *, store: Store, embedder: Embedder) -> bool:
    with store.write() as tables:
        done = tables.reembeddings.switch(vector_store_id, embedder.id, dim=embedder.dim)
        point("reembed.before")
    point("reembed.after")
    return done


def _prepare(content: Content, vector_store_id: str, *, store: Store, embedder: Embedder) -> int:
    """Make a file's windows and chunks for the new model; returns how many windows."""
    document = stored_document(content.document_key, store)
    if document is None:
        return 0  # it was taken out or indexed anew meanwhile, and will be asked for again
    windows = _cut(content, document.source, embedder)
    try:
        _embed(content, document.source, windows, vector_store_id, store=store, embedder=embedder)
        point("reembed.windows")
        made = cut_chunks(
            document.source, windows, content.chunking, token_spans=embedder.token_spans
        )
        with ChunkSpool(made, store.folder) as chunks, store.write() as tables:
            tables.reembeddings.finish(content, chunks)
    except NotFound:  # likewise
        return 0
    point("reembed.file")
    return len(windows)


def _cut(content: Content, source: Source, embedder: Embedder) -> WindowTable:
    windows = WindowTable()
    for _ in cut_windows(
        source,
        content.chunking,
        into=windows,
        filename=content.filename,
        token_spans=embedder.token_spans,
        max_tokens=embedder.max_tokens,
    ):
        pass
    return windows


def _embed(
    content: Content,
    source: Source,
    windows: WindowTable,
    vector_store_id: str,
    *,
    store: Store,
    embedder: Embedder,
) -> None:
    for first in range(0, len(windows), GROUP_WINDOWS):
        group = windows[first : first + GROUP_WINDOWS]
        stretch, moved = stretch_of(source, group)
        keys, vectors = embed_windows(
            stretch, moved, embedder=embedder, cached=cache_reader(store)
        )
        with store.write() as tables:
            if tables.reembeddings.goal(vector_store_id) != embedder.id:
                raise Superseded(f"Vector store {vector_store_id} is given another model.")
            tables.reembeddings.add_windows(content, group, keys, vectors)
