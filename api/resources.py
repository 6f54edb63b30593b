"""What can be done with files, vector stores, their files, batches and stored responses.

Each method is one transaction, or one snapshot. `Engine` adds search and answers to these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from api.indexing import Indexing
from retrieval.errors import Conflict, InvalidRequest, NotFound
from retrieval.limits import check_attributes
from retrieval.store import Tables
from retrieval.store.jobs import BULK
from retrieval.store.responses import StoredResponse
from retrieval.types import (
    UNSET,
    Attachment,
    AttachmentStatus,
    Attributes,
    Batch,
    BatchMember,
    Block,
    ChunkingStrategy,
    File,
    Page,
    PageRequest,
    Unset,
    VectorStore,
)

AUTO = ChunkingStrategy()
_PIECE_CHARS = 1 << 20


class Resources(Indexing):
    """The stored objects of one open data folder."""

    # --- files --------------------------------------------------------------------------------

    def upload(
        self,
        content: BinaryIO,
        *,
        filename: str,
        purpose: str = "assistants",
        expires_after_s: int | None = None,
    ) -> File:
        """Store a file; durable on return.

        Raises:
            InvalidRequest: the file is empty.
            TooLarge: it is larger than `settings.max_file_bytes`.
        """
        staged = self.store.blobs.stage(content, limit_bytes=self.settings.max_file_bytes)
        try:
            if staged.blob.n_bytes == 0:
                raise InvalidRequest(
                    f"The file '{filename}' is empty: it has 0 bytes.", param="file", code=None
                )
            with self.store.write() as tables:
                self.store.blobs.publish(staged)
                return tables.files.add(
                    staged.blob,
                    filename=filename,
                    purpose=purpose,
                    expires_after_s=expires_after_s,
                )
        finally:
            staged.discard()

    def file(self, file_id: str) -> File:
        """The file of this id, or NotFound."""
        with self.store.read() as view:
            return view.files.get(file_id)

    def files(self, page: PageRequest, *, purpose: str | None = None) -> Page[File]:
        """A page of all files."""
        with self.store.read() as view:
            return view.files.page(page, purpose=purpose)

    def open_file(self, file_id: str) -> BinaryIO:
        """The bytes of a file, for reading; the caller closes them."""
        return self.store.blobs.open(self.file(file_id).sha256)

    def delete_file(self, file_id: str) -> None:
        """Delete a file and take it out of every vector store, at once."""
        with self.store.write() as tables:
            tables.files.get(file_id)
            sha256 = tables.expiry.remove_file(file_id)
        self.store.release_blob(sha256)

    # --- vector stores ------------------------------------------------------------------------

    def create_vector_store(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        file_ids: Sequence[str] = (),
        chunking: ChunkingStrategy = AUTO,
        expires_after_days: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> VectorStore:
        """Create a vector store, with files that are then indexed in the background.

        Raises:
            NotFound: one of `file_ids` is unknown; then nothing was created.
        """
        model_id = self.embedder.id
        with self.store.write() as tables:
            _check_files(tables, file_ids)
            store_id = tables.vector_stores.add(
                name=name,
                description=description,
                expires_after_days=expires_after_days,
                metadata=metadata or {},
                model_id=model_id,
            )
            for member in _members(file_ids, chunking):
                _attach(tables, store_id, member, n_files=len(file_ids))
            created = tables.vector_stores.get(store_id)
        self.wake_worker()
        return created

    def vector_store(self, store_id: str) -> VectorStore:
        """The vector store of this id, or NotFound."""
        with self.store.read() as view:
            return view.vector_stores.get(store_id)

    def vector_stores(self, page: PageRequest) -> Page[VectorStore]:
        """A page of all vector stores."""
        with self.store.read() as view:
            return view.vector_stores.page(page)

    def update_vector_store(
        self,
        store_id: str,
        *,
        name: str | Unset | None = UNSET,
        expires_after_days: int | Unset | None = UNSET,
        metadata: Mapping[str, str] | Unset = UNSET,
    ) -> VectorStore:
        """Change what is given; None clears, UNSET leaves.

        Raises:
            NotFound: there is no such vector store.
            Conflict: it has expired, and its expiry is to change: that brings no file back.
        """
        with self.store.write() as tables:
            if not isinstance(expires_after_days, Unset):
                _check_open(tables, store_id)
            if not isinstance(name, Unset):
                tables.vector_stores.set_name(store_id, name)
            if not isinstance(expires_after_days, Unset):
                tables.vector_stores.set_expiry(store_id, expires_after_days)
            if not isinstance(metadata, Unset):
                tables.vector_stores.set_metadata(store_id, metadata)
            return tables.vector_stores.get(store_id)

    def delete_vector_store(self, store_id: str) -> None:
        """Delete a vector store with all that was made of its files; the files stay."""
        with self.store.write() as tables:
            tables.vector_stores.remove(store_id)
        self._indexes.forget(store_id)

    def resolve_store(self, name_or_id: str) -> VectorStore:
        """The vector store of this id, or else the only one of this name; live before expired.

        Raises:
            NotFound: there is neither.
            InvalidRequest: several have the name; the message lists their ids.
        """
        with self.store.read() as view:
            try:
                return view.vector_stores.get(name_or_id)
            except NotFound:
                named = view.vector_stores.named(name_or_id)
        named = [store for store in named if not store.expired] or named[-1:]
        if len(named) > 1:
            ids = ", ".join(store.id for store in named)
            raise InvalidRequest(
                f"{len(named)} vector stores are named '{name_or_id}'; give one of their ids: {ids}.",
                param="store",
                code="invalid_value",
            )
        if not named:
            raise NotFound("vector_store", name_or_id)
        return named[0]

    # --- files in vector stores ---------------------------------------------------------------

    def attach(
        self,
        store_id: str,
        file_id: str,
        *,
        attributes: Attributes | None = None,
        chunking: ChunkingStrategy = AUTO,
        path: str | None = None,
    ) -> Attachment:
        """Put a file into a vector store; it is indexed in the background.

        A file that is there already is indexed again with the new strategy and attributes;
        its old chunks serve until the new ones are committed. Another file that was
        attached under the same `path` is replaced in that commit.
        """
        member = BatchMember(file_id, attributes or {}, chunking)
        with self.store.write() as tables:
            _check_open(tables, store_id)
            _attach(tables, store_id, member, path=path)
            attached = tables.attachments.get(store_id, file_id)
        self.wake_worker()
        return attached

    def attachment(self, store_id: str, file_id: str) -> Attachment:
        """One file of a vector store, or NotFound."""
        with self.store.read() as view:
            return view.attachments.get(store_id, file_id)

    def attachments(
        self, store_id: str, page: PageRequest, *, status: AttachmentStatus | None = None
    ) -> Page[Attachment]:
        """A page of the files of a vector store."""
        with self.store.read() as view:
            number = view.vector_stores.number(store_id)
            return view.attachments.page(number, page, status=status)

    def update_attributes(self, store_id: str, file_id: str, attributes: Attributes) -> Attachment:
        """Replace a file's attributes; the next search sees them, nothing is embedded."""
        check_attributes(attributes)
        with self.store.write() as tables:
            tables.attachments.set_attributes(
                tables.attachments.number(store_id, file_id), attributes
            )
            return tables.attachments.get(store_id, file_id)

    def detach(self, store_id: str, file_id: str) -> None:
        """Take a file out of a vector store, at once; the file stays."""
        with self.store.write() as tables:
            number = tables.attachments.number(store_id, file_id)
            tables.batches.settle(number, "cancelled")
            tables.attachments.remove(number)

    def content(self, store_id: str, file_id: str) -> str:
        """The stored text of a file, to which all character positions refer.

        Raises:
            NotFound: there is no such file in the vector store.
            Conflict: it has no text yet, or could not be read.
        """
        with self.store.read() as view:
            attachment = view.attachments.get(store_id, file_id)
            text = view.commits.full_text(view.attachments.number(store_id, file_id))
        if text is None:
            raise Conflict("vector_store_file", file_id, state=attachment.status)
        return text

    def content_pieces(self, store_id: str, file_id: str) -> Iterator[str]:
        """`content` in pieces of a megabyte or so, each read when it is its turn.

        Raises:
            NotFound, Conflict: as `content`, at once; the former also later, when the file goes.
        """
        with self.store.read() as view:
            attachment = view.attachments.get(store_id, file_id)
            extent = view.commits.extent(view.attachments.number(store_id, file_id))
        if extent is None:
            raise Conflict("vector_store_file", file_id, state=attachment.status)
        return self._pieces(file_id, *extent)

    def _pieces(self, file_id: str, document_n: int, n_chars: int) -> Iterator[str]:
        for start in range(0, n_chars, _PIECE_CHARS):
            end = min(start + _PIECE_CHARS, n_chars)
            with self.store.read() as view:
                piece = view.documents.text(document_n, start, end)
            if len(piece) != end - start:
                raise NotFound("file", file_id)
            yield piece

    def blocks(self, store_id: str, file_id: str) -> tuple[Block, ...]:
        """The headings, paragraphs and rows of a file's stored text, each with its place.

        Raises:
            NotFound: there is no such file in the vector store, or it has no text yet.
        """
        with self.store.read() as view:
            return view.commits.blocks(view.attachments.number(store_id, file_id))

    # --- batches ------------------------------------------------------------------------------

    def create_batch(self, store_id: str, members: Sequence[BatchMember]) -> Batch:
        """Attach several files at once; of a file named twice, the last mention counts.

        Raises:
            NotFound: one of the files is unknown; then nothing was attached.
        """
        distinct = list({member.file_id: member for member in members}.values())
        with self.store.write() as tables:
            _check_open(tables, store_id)
            _check_files(tables, [member.file_id for member in distinct])
            numbers = [
                _attach(tables, store_id, member, n_files=len(distinct)) for member in distinct
            ]
            batch_id = tables.batches.add(tables.vector_stores.number(store_id), numbers)
            batch = tables.batches.get(store_id, batch_id)
        self.wake_worker()
        return batch

    def batch(self, store_id: str, batch_id: str) -> Batch:
        """One batch of a vector store, or NotFound."""
        with self.store.read() as view:
            return view.batches.get(store_id, batch_id)

    def cancel_batch(self, store_id: str, batch_id: str) -> Batch:
        """Cancel what has not been indexed yet; what has stays."""
        with self.store.write() as tables:
            number = tables.batches.number(store_id, batch_id)
            if tables.batches.get(store_id, batch_id).status == "in_progress":
                for attachment_n in tables.batches.cancel(number):
                    tables.attachments.cancel(attachment_n)
                    tables.batches.settle(attachment_n, "cancelled")
                    tables.jobs.finish(attachment_n)
            return tables.batches.get(store_id, batch_id)

    def batch_files(
        self,
        store_id: str,
        batch_id: str,
        page: PageRequest,
        *,
        status: AttachmentStatus | None = None,
    ) -> Page[Attachment]:
        """A page of the files of a batch that are still in the vector store."""
        with self.store.read() as view:
            batch_n = view.batches.number(store_id, batch_id)
            store_n = view.vector_stores.number(store_id)
            return view.attachments.page(store_n, page, status=status, batch_n=batch_n)

    # --- responses ----------------------------------------------------------------------------

    def load_response(self, response_id: str) -> StoredResponse:
        """A stored response, or NotFound."""
        with self.store.read() as view:
            return view.responses.get(response_id)

    def delete_response(self, response_id: str) -> None:
        """Delete a stored response, or NotFound."""
        with self.store.write() as tables:
            tables.responses.remove(response_id)


def _check_open(tables: Tables, store_id: str) -> None:
    if tables.vector_stores.get(store_id).expired:
        raise Conflict("vector_store", store_id, state="expired")


def _check_files(tables: Tables, file_ids: Sequence[str]) -> None:
    missing = tables.files.missing(file_ids)
    if missing:
        raise NotFound("file", missing[0])


def _members(file_ids: Sequence[str], chunking: ChunkingStrategy) -> list[BatchMember]:
    return [BatchMember(file_id, {}, chunking) for file_id in dict.fromkeys(file_ids)]


def _attach(
    tables: Tables,
    store_id: str,
    member: BatchMember,
    *,
    path: str | None = None,
    n_files: int = 1,  # attached at once
) -> int:
    check_attributes(member.attributes)
    file = tables.files.get(member.file_id)
    store_n = tables.vector_stores.number(store_id)
    number = tables.attachments.put(
        store_n,
        tables.files.number(file.id),
        attributes=member.attributes,
        chunking=member.chunking,
        path=path,
    )
    asked = tables.jobs.priority_of(store_n, n_files=n_files, n_bytes=file.n_bytes)
    tables.jobs.enqueue(number, priority=asked if path is None else BULK)
    tables.vector_stores.touch(store_id)
    return number
