"""THE WRITE PATH: a claimed job's file goes from its blob to committed chunks.

    blob → parse → cut → embed → commit

Nothing before the commit is visible or needed later, so a crash anywhere before it means
that the job is done again, and a crash after it that it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.chunk import cut
from ingest.detect import detect, read_ends
from ingest.embed import embed_windows
from ingest.parse import PARSER_VERSION
from ingest.sandbox import Limits, Sandbox
from retrieval.embedder import Embedder
from retrieval.errors import IncompatibleStore, OverBudget
from retrieval.faults import point
from retrieval.store import Store, Tables
from retrieval.store.jobs import Job
from retrieval.store.progress import COMMITTING, CUTTING, EMBEDDING, PARSING
from retrieval.types import Attachment, Chunk, Commit, Document, File, Vectors, Window

_FLOAT32_BYTES = 4


class LostLease(Exception):
    """The job is no longer this worker's: cancelled, detached, asked for anew or taken over."""


class Progress(Protocol):
    """Called at the begin of each stage and between steps; may raise to stop the work."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` units of `stage` are finished; a total of 0 is not known.

        The units are bytes while the file is parsed, pages while it is cut, windows while they
        are embedded, chunks while they are committed.
        """


@dataclass(frozen=True, slots=True)
class Tools:
    """What the write path works with."""

    store: Store
    sandbox: Sandbox
    embedder: Embedder
    limits: Limits
    max_tokens: int  # of one file's text


def ingest(job: Job, tools: Tools, progress: Progress) -> Commit:
    """Index the file of `job`; durable and searchable on return.

    Raises:
        FileFailed: the file cannot be indexed as it is.
        LostLease: the job is no longer this worker's; nothing was changed.
        Unavailable: trying again later may help.
    """
    attachment, file = _load(job, tools)
    progress(PARSING, 0, file.n_bytes)
    key, document = _parse(file, tools)
    progress(CUTTING, 0, document.n_pages or 0)
    windows, chunks = _cut(document, attachment, tools)
    progress(EMBEDDING, 0, len(windows))
    keys, vectors = _embed(document, windows, tools, progress)
    progress(COMMITTING, 0, len(chunks))
    return _commit(
        job, tools.store, _Bundle(attachment, file, key, document, windows, chunks, keys, vectors)
    )


@dataclass(frozen=True, slots=True)
class _Bundle:
    attachment: Attachment
    file: File
    document_key: str
    document: Document
    windows: Sequence[Window]
    chunks: Sequence[Chunk]
    keys: Sequence[bytes]  # of each window's vector
    vectors: Vectors  # (n_windows, dim)


def _load(job: Job, tools: Tools) -> tuple[Attachment, File]:
    with tools.store.read() as view:
        if not view.jobs.holds(job):
            raise LostLease
        attachment = view.attachments.by_number(job.attachment_n)
        model_id = view.commits.model_id(attachment.vector_store_id)
        if model_id != tools.embedder.id:
            raise IncompatibleStore(
                "the vector store's embedding model", found=model_id, supported=tools.embedder.id
            )
        return attachment, view.files.get(attachment.file_id)


def _parse(file: File, tools: Tools) -> tuple[str, Document]:
    path = tools.store.blobs.path(file.sha256)
    media_type = detect(read_ends(path), file.filename)
    key = f"{file.sha256}:{media_type}:{PARSER_VERSION}"
    with tools.store.read() as view:
        cached = view.documents.find(key)
    if cached is not None:
        return key, cached[1]
    document = tools.sandbox.parse(path, filename=file.filename, limits=tools.limits)
    point("parsed")
    return key, document


def _cut(
    document: Document, attachment: Attachment, tools: Tools
) -> tuple[list[Window], list[Chunk]]:
    windows, chunks = cut(
        document,
        attachment.chunking,
        filename=attachment.filename,
        token_spans=tools.embedder.token_spans,
        max_tokens=tools.embedder.max_tokens,
    )
    n_tokens = sum(window.n_tokens for window in windows)
    if n_tokens > tools.max_tokens:
        raise OverBudget("tokens", limit=tools.max_tokens)
    return windows, chunks


def _embed(
    document: Document, windows: Sequence[Window], tools: Tools, progress: Progress
) -> tuple[list[bytes], Vectors]:
    keys, vectors = embed_windows(
        document,
        windows,
        embedder=tools.embedder,
        cached=_cache_reader(tools.store),
        progress=lambda done: progress(EMBEDDING, done, len(windows)),
    )
    point("embedded")
    return keys, vectors


def _cache_reader(
    store: Store,
) -> Callable[[Sequence[bytes]], Mapping[bytes, NDArray[np.float32]]]:
    def read(keys: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        with store.read() as view:
            return view.chunks.vectors(keys)

    return read


def _commit(job: Job, store: Store, bundle: _Bundle) -> Commit:
    """One transaction: rows, counts, status and the end of the job, or none of them."""
    number = job.attachment_n
    attachment, windows, chunks = bundle.attachment, bundle.windows, bundle.chunks
    n_vector_bytes = bundle.vectors.shape[1] * _FLOAT32_BYTES * len(windows)
    with store.write() as tables:
        if not tables.jobs.holds(job):
            raise LostLease
        document_n = tables.documents.add(bundle.document_key, bundle.document)
        tables.chunks.add_vectors(bundle.keys, bundle.vectors)
        tables.chunks.replace(number, windows=windows, keys=bundle.keys, chunks=chunks)
        point("commit.rows")
        seq = tables.attachments.complete(
            number,
            document_n=document_n,
            usage_bytes=bundle.file.n_bytes + n_vector_bytes,
            n_chunks=len(chunks),
        )
        released = [_replace(tables, old) for old in tables.attachments.replaced_by(number)]
        tables.batches.settle(number, "completed")
        tables.jobs.finish(number)
        point("commit.before")
    point("commit.after")
    for sha256 in released:
        store.release_blob(sha256)
    return Commit(seq, attachment.vector_store_id, attachment.file_id, len(chunks))


def _replace(tables: Tables, old: tuple[int, str]) -> str:
    """Take out what stood under the same path before; returns the hash of its blob."""
    number, file_id = old
    sha256 = tables.files.get(file_id).sha256
    tables.attachments.remove(number)
    if not tables.attachments.of_file(file_id):
        tables.files.remove(file_id)
    return sha256
