"""All tables on one connection, within one snapshot or one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from retrieval.store.attachments import Attachments
from retrieval.store.batches import Batches
from retrieval.store.calibrations import Calibrations
from retrieval.store.chunks import Chunks
from retrieval.store.commits import Commits
from retrieval.store.conversations import Conversations
from retrieval.store.documents import Documents
from retrieval.store.drafts import Drafts
from retrieval.store.expiry import Expiry
from retrieval.store.files import Files
from retrieval.store.jobs import Jobs
from retrieval.store.keys import Keys
from retrieval.store.progress import Progress
from retrieval.store.reembeddings import Reembeddings
from retrieval.store.responses import Responses
from retrieval.store.sources import Sources
from retrieval.store.uploads import Uploads
from retrieval.store.vector_stores import VectorStores


class Tables:
    """What `Store.read` and `Store.write` hand out; dead when their block ends."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self.files = Files(connection, clock)
        self.vector_stores = VectorStores(connection, clock)
        self.calibrations = Calibrations(connection, clock)
        self.attachments = Attachments(connection, clock)
        self.batches = Batches(connection, clock)
        self.documents = Documents(connection)
        self.drafts = Drafts(connection)
        self.chunks = Chunks(connection)
        self.commits = Commits(connection)
        self.jobs = Jobs(connection, clock)
        self.progress = Progress(connection)
        self.reembeddings = Reembeddings(connection, clock)
        self.responses = Responses(connection, clock)
        self.sources = Sources(connection)
        self.conversations = Conversations(connection, clock)
        self.uploads = Uploads(connection, clock)
        self.keys = Keys(connection, clock)
        self.expiry = Expiry(connection, clock)

    def uses_blob(self, sha256: str) -> bool:
        """Whether a file or a part of an upload has these bytes."""
        return bool(self.files.uses(sha256)) or self.uploads.uses(sha256)

    def used_blobs(self) -> set[str]:
        """The hash of every blob that a file or a part of an upload names."""
        return self.files.hashes() | self.uploads.hashes()
