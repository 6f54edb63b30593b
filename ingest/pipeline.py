"""THE WRITE PATH: a claimed job's file goes from its blob to committed chunks.

    blob → parse → cut → embed → commit

Nothing before the commit is visible, so a crash anywhere before it means that the job is done
again, and a crash after it that it is done. A long file is never in memory as a whole: its text
comes and is stored part by part, its vectors group by group, as a draft that the commit takes over
and that a second try goes on with (`retrieval.store.drafts`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.chunk import cut_chunks, cut_windows
from ingest.detect import detect, read_ends
from ingest.embed import embed_windows
from ingest.parse import PARSER_VERSION
from ingest.parse.parts import moved
from ingest.pieces import Held, Source, Stored
from ingest.sandbox import Limits, Sandbox
from ingest.spool import ChunkSpool
from ingest.window_table import WindowTable
from retrieval.embedder import Embedder
from retrieval.errors import IncompatibleStore, OverBudget, StoreBusy
from retrieval.faults import point
from retrieval.store import Store, Tables
from retrieval.store.jobs import Job
from retrieval.store.progress import COMMITTING, CUTTING, EMBEDDING, PARSING
from retrieval.types import Attachment, Block, Commit, Document, File, Vectors, Window

_FLOAT32_BYTES = 4
# Windows that are embedded before anything is saved: most files are shorter and cost one
# transaction; of a longer one no more than this is lost in a crash, a minute or two of work.
GROUP_WINDOWS = 2048


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
    parsed = _parse(job, file, tools, progress)
    progress(CUTTING, 0, parsed.n_pages)
    windows = _cut(parsed, attachment, tools, progress)
    progress(EMBEDDING, 0, len(windows))
    vectors = _embed(job, parsed, windows, tools, progress)
    made = cut_chunks(
        parsed.source, windows, attachment.chunking, token_spans=tools.embedder.token_spans
    )
    with ChunkSpool(made, tools.store.folder) as chunks:
        progress(COMMITTING, 0, len(chunks))
        bundle = _Bundle(attachment, file, parsed, windows, chunks, vectors)
        return _commit(job, tools, bundle)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A file's document: in memory, or stored already because it is long."""

    key: str
    source: Source
    n_pages: int = 0  # 0 where the type has none
    document: Document | None = None
    document_n: int | None = None  # its row where it is stored


@dataclass(frozen=True, slots=True)
class _Embedded:
    """The vectors of a file's windows: in memory, or stored already because they are many."""

    keys: Sequence[bytes]  # of each window's vector
    held: Vectors | None  # (n_windows, dim)


@dataclass(frozen=True, slots=True)
class _Bundle:
    attachment: Attachment
    file: File
    parsed: _Parsed
    windows: WindowTable
    chunks: ChunkSpool
    vectors: _Embedded


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


def _parse(job: Job, file: File, tools: Tools, progress: Progress) -> _Parsed:
    path = tools.store.blobs.path(file.sha256)
    media_type = detect(read_ends(path), file.filename)
    key = f"{file.sha256}:{media_type}:{PARSER_VERSION}"
    cached = stored_document(key, tools.store)
    if cached is not None:
        return cached
    parts = tools.sandbox.parse_parts(path, filename=file.filename, limits=tools.limits)
    with contextlib.closing(parts):
        first, second = next(parts), next(parts, None)
        point("parsed")
        if second is None:
            return _Parsed(key, Held(first), n_pages=first.n_pages or 0, document=first)
        _save_document(job, key, chain([first, second], parts), tools, progress)
    saved = stored_document(key, tools.store)
    if saved is None:
        raise StoreBusy("The text that was just saved is gone.", retry_after_s=0.0)
    return saved


def stored_document(key: str, store: Store) -> _Parsed | None:
    """The document under this key: whole if it is short, else piece by piece from the store."""
    with store.read() as view:
        known = view.documents.lookup(key)
        if known is None:
            return None
        number, n_chars = known
        pieces = view.documents.block_pieces(number)
        found = None if pieces else view.documents.find(key)
    if found is not None:
        document = found[1]
        return _Parsed(key, Held(document), n_pages=document.n_pages or 0, document=document)

    def read_blocks(piece: int) -> Sequence[Block]:
        with store.read() as view:
            return view.documents.blocks_of_piece(number, piece)

    def read_text(start: int, end: int) -> str:
        with store.read() as view:
            return view.documents.text(number, start, end)

    borders = [*(start for _, start in pieces), n_chars]
    return _Parsed(key, Stored(borders, read_blocks, read_text), document_n=number)


def _save_document(
    job: Job, key: str, parts: Iterable[Document], tools: Tools, progress: Progress
) -> None:
    """Store a long document as its parts come; it can be found under `key` when it is whole."""
    number, n_chars, n_bytes = None, 0, 0
    for part in parts:
        with _held(job, tools.store) as tables:
            if number is None:
                number = tables.drafts.begin_document(job.attachment_n, part.media_type)
            tables.documents.append(number, part.text, tuple(moved(part.blocks, n_chars)))
        point("draft.text")
        n_chars += len(part.text)
        n_bytes += len(part.text.encode("utf-8", "surrogatepass"))
        progress(PARSING, n_bytes, 0)
    with _held(job, tools.store) as tables:
        if number is not None:
            tables.drafts.finish_document(job.attachment_n, number, key)


@contextlib.contextmanager
def _held(job: Job, store: Store) -> Iterator[Tables]:
    """A transaction in which the job is still this worker's.

    Raises:
        LostLease: it is not.
    """
    with store.write() as tables:
        if not tables.jobs.holds(job):
            raise LostLease
        yield tables


def _cut(parsed: _Parsed, attachment: Attachment, tools: Tools, progress: Progress) -> WindowTable:
    windows = WindowTable()
    steps = cut_windows(
        parsed.source,
        attachment.chunking,
        into=windows,
        filename=attachment.filename,
        token_spans=tools.embedder.token_spans,
        max_tokens=tools.embedder.max_tokens,
    )
    for _ in chain(steps, [0]):
        if windows.n_tokens_total > tools.max_tokens:
            raise OverBudget("tokens", limit=tools.max_tokens)
        progress(CUTTING, 0, parsed.n_pages)
    return windows


def _embed(
    job: Job, parsed: _Parsed, windows: WindowTable, tools: Tools, progress: Progress
) -> _Embedded:
    """A group of windows after the other; of a long file each is saved when it is done."""
    keys: list[bytes] = []
    held = np.empty((0, tools.embedder.dim), dtype=np.float32)
    for first in range(0, len(windows), GROUP_WINDOWS):
        stretch, group = stretch_of(parsed.source, windows[first : first + GROUP_WINDOWS])
        keys_of_group, held = embed_windows(
            stretch,
            group,
            embedder=tools.embedder,
            cached=cache_reader(tools.store),
            progress=partial(_embedded, progress, first, len(windows)),
        )
        keys += keys_of_group
        if len(windows) > GROUP_WINDOWS:
            with _held(job, tools.store) as tables:
                tables.drafts.note_vectors(job.attachment_n)
                tables.chunks.add_vectors(keys_of_group, held)
            point("draft.vectors")
    point("embedded")
    return _Embedded(keys, held if len(windows) <= GROUP_WINDOWS else None)


def _embedded(progress: Progress, before: int, total: int, done: int) -> None:
    progress(EMBEDDING, before + done, total)


def stretch_of(source: Source, windows: Sequence[Window]) -> tuple[Document, list[Window]]:
    """The text that some windows span, and the windows by their places in it."""
    start = windows[0].start_char
    text = source.text(start, windows[-1].end_char)
    moved = [
        replace(window, start_char=window.start_char - start, end_char=window.end_char - start)
        for window in windows
    ]
    return Document(media_type="", text=text, blocks=()), moved


def cache_reader(
    store: Store,
) -> Callable[[Sequence[bytes]], Mapping[bytes, NDArray[np.float32]]]:
    """What gives the vectors that the store has of some keys."""

    def read(keys: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        with store.read() as view:
            return view.chunks.vectors(keys)

    return read


def _commit(job: Job, tools: Tools, bundle: _Bundle) -> Commit:
    """One transaction: rows, counts, status and the end of the job, or none of them."""
    number, store = job.attachment_n, tools.store
    attachment, windows, chunks = bundle.attachment, bundle.windows, bundle.chunks
    n_vector_bytes = tools.embedder.dim * _FLOAT32_BYTES * len(windows)
    with _held(job, store) as tables:
        if tables.commits.model_id(attachment.vector_store_id) != tools.embedder.id:
            raise StoreBusy("The vector store got another embedding model.", retry_after_s=0.0)
        document_n = _document_n(bundle.parsed, tables)
        if bundle.vectors.held is not None:
            tables.chunks.add_vectors(bundle.vectors.keys, bundle.vectors.held)
        tables.chunks.replace(number, windows=windows, keys=bundle.vectors.keys, chunks=chunks)
        point("commit.rows")
        seq = tables.attachments.complete(
            number,
            document_n=document_n,
            usage_bytes=bundle.file.n_bytes + n_vector_bytes,
            n_chunks=len(chunks),
        )
        released = [_replace(tables, old) for old in tables.attachments.replaced_by(number)]
        tables.drafts.clear(number)
        tables.batches.settle(number, "completed")
        tables.jobs.finish(number)
        point("commit.before")
    point("commit.after")
    for sha256 in released:
        store.release_blob(sha256)
    return Commit(seq, attachment.vector_store_id, attachment.file_id, len(chunks))


def _document_n(parsed: _Parsed, tables: Tables) -> int:
    """The row of the file's document, which is added unless it was saved ahead."""
    if parsed.document is not None:
        return tables.documents.add(parsed.key, parsed.document)
    known = tables.documents.lookup(parsed.key)
    if known is None or known[0] != parsed.document_n:
        raise StoreBusy("The text that was saved ahead is gone.", retry_after_s=0.0)
    return known[0]


def _replace(tables: Tables, old: tuple[int, str]) -> str:
    """Take out what stood under the same path before; returns the hash of its blob."""
    number, file_id = old
    sha256 = tables.files.get(file_id).sha256
    tables.attachments.remove(number)
    if not tables.attachments.of_file(file_id):
        tables.files.remove(file_id)
    return sha256
