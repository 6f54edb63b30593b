"""What a judged set is: documents, questions, and what answers them. Pure values."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from retrieval.errors import InvalidRequest
from retrieval.types import Attributes


@dataclass(frozen=True, slots=True)
class SetDocument:
    """One document of a set, as it is uploaded."""

    id: str  # as the judgements name it
    filename: str  # unique in its set; how a hit is brought back to the id
    content: str | Path  # its text, or the file that holds it
    attributes: Attributes

    def open(self) -> BinaryIO:
        """Its bytes; the caller closes them."""
        if isinstance(self.content, Path):
            return self.content.open("rb")
        return io.BytesIO(self.content.encode())

    def digest(self) -> bytes:
        """sha256 of its bytes."""
        with self.open() as content:
            return hashlib.sha256(content.read()).digest()


@dataclass(frozen=True, slots=True)
class Reference:
    """A passage that answers a question; a hit that holds all of its text is relevant."""

    document_id: str
    text: str
    start_char: int | None = None  # into the document's text; None where it is not known
    end_char: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its judgements: graded documents, or passages."""

    id: str
    text: str
    grades: Mapping[str, int]  # document id → grade; above 0 is relevant
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Questions that have something relevant, over documents that are in no store yet.

    Either every question has references, or none has.
    """

    name: str
    documents: tuple[SetDocument, ...]  # those with some content
    questions: tuple[Question, ...]

    @property
    def has_passages(self) -> bool:
        """Whether passages are judged, not whole documents."""
        return bool(self.questions and self.questions[0].references)

    def fingerprint(self) -> str:
        """16 hex digits that change when a name or content of a document does."""
        whole = hashlib.sha256()
        for document in self.documents:
            whole.update(document.filename.encode("utf-8", "surrogatepass"))
            whole.update(document.digest())
        return whole.hexdigest()[:16]


def invalid(message: str, *, param: str) -> InvalidRequest:
    """What is raised for a wrong set, option or file; `param` names which."""
    return InvalidRequest(message, param=param, code="invalid_value")
