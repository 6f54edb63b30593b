"""`POST /v1/sourcebook/verify` on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, StringConstraints, model_validator
from typing_extensions import TypedDict

from api.answer.check import MAX_SOURCES, Checked, CheckedSentence, Source
from api.wire.replies import closed
from api.wire.response_shapes import FindingObject
from api.wire.validation import Closed, refuse

Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
SCORE_DIGITS = 4


class GivenSource(Closed):
    """A source: a text, a file in a vector store, or a hit of a search."""

    text: str | None = None
    name: str | None = None  # of a text, as markers may call it
    vector_store_id: Id | None = None
    file_id: Id | None = None
    hit_id: Id | None = None

    @model_validator(mode="after")
    def _is_one(self) -> GivenSource:
        given = [self.text is not None, self.file_id is not None, self.hit_id is not None]
        if sum(given) != 1:
            refuse("Invalid '<path>': expected one of 'text', 'file_id', and 'hit_id'.")
        if (self.text is None) != (self.vector_store_id is not None):
            refuse("Invalid '<path>': 'file_id' and 'hit_id' come with 'vector_store_id'.")
        return self


class VerifyRequest(Closed):
    """Body of `POST /v1/sourcebook/verify`."""

    text: str
    sources: Annotated[list[GivenSource], Field(min_length=1, max_length=MAX_SOURCES)]
    min_support: Annotated[float, Field(ge=0.0, le=1.0)] | None = None


@closed
class EvidenceObject(TypedDict):
    """The nearest sentences of a source; characters count in its document."""

    source: int
    quote: str
    start_char: int
    end_char: int
    filename: NotRequired[str]
    vector_store_id: NotRequired[str]
    file_id: NotRequired[str]
    hit_id: NotRequired[str]


@closed
class SentenceObject(TypedDict):
    """A sentence of the text without markers; characters count in that."""

    text: str
    start_char: int
    end_char: int
    supported: bool | None
    score: float | None
    cited: list[int]
    findings: list[FindingObject]
    evidence: EvidenceObject | None


@closed
class VerificationObject(TypedDict):
    """What the sources say to a text."""

    object: Literal["sourcebook.verification"]
    supported: bool
    score: float | None
    min_support: float
    text: str
    sentences: list[SentenceObject]


def verification_body(
    checked: Checked, sources: list[Source], *, min_support: float
) -> dict[str, Any]:
    """The reply."""
    return {
        "object": "sourcebook.verification",
        "supported": checked.supported,
        "score": _rounded(checked.score),
        "min_support": min_support,
        "text": checked.text,
        "sentences": [_sentence(each, sources) for each in checked.sentences],
    }


def _sentence(each: CheckedSentence, sources: list[Source]) -> dict[str, Any]:
    return {
        "text": each.text,
        "start_char": each.start_char,
        "end_char": each.end_char,
        "supported": each.supported,
        "score": _rounded(each.score),
        "cited": list(each.cited),
        "findings": [{"kind": f.kind, "text": f.text} for f in each.findings],
        "evidence": None if each.source is None else _evidence(each, sources[each.source]),
    }


def _evidence(each: CheckedSentence, source: Source) -> dict[str, Any]:
    origin = {
        "filename": source.name,
        "vector_store_id": source.vector_store_id,
        "file_id": source.file_id,
        "hit_id": source.hit_id,
    }
    return {
        "source": each.source,
        "quote": each.quote,
        "start_char": each.quote_start_char,
        "end_char": each.quote_end_char,
        **{key: value for key, value in origin.items() if value},
    }


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, SCORE_DIGITS)
