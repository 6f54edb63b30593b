"""What flows through an answer: a validated request, what a model writes, and the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from retrieval.types import Citation, Hit, Query

if TYPE_CHECKING:
    from api.answer.stop import Stop

EndReason = Literal["stop", "max_output_tokens", "content_filter"]
Item = dict[str, Any]  # an input or output item, as JSON

DEFAULT_SOURCE_TOKENS = 16_000  # what the hosted tool lets into the model's context


@dataclass(frozen=True, slots=True)
class Answer:
    """The library's answer to one question: text, and the passages that it stands on."""

    text: str
    citations: tuple[Citation, ...]  # in the order of their places in `text`
    hits: tuple[Hit, ...]  # everything the search gave, best first


@dataclass(frozen=True, slots=True)
class FileSearch:
    """One `file_search` tool. `query` is complete but for its texts."""

    vector_store_ids: tuple[str, ...]
    query: Query  # texts are a stand-in until the question is known
    echo: Mapping[str, Any]  # the tool as the response shows it, defaults filled in


@dataclass(frozen=True, slots=True)
class Extension:
    """The request's `sourcebook` object."""

    places: bool = False  # show places, quotes and support scores
    fallback_citations: bool = True  # cite for a model that writes no marker
    max_source_tokens: int = DEFAULT_SOURCE_TOKENS


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a language model is to write; None leaves it to the server."""

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """A validated `POST /v1/responses`."""

    model: str
    input_items: tuple[Item, ...]  # normalised, each with its id
    instructions: str | None = None
    previous_response_id: str | None = None
    searches: tuple[FileSearch, ...] = ()  # the tools that tool_choice lets run
    text_format: Mapping[str, Any] = field(default_factory=lambda: {"type": "text"})
    sampling: Sampling = Sampling()
    stream: bool = False
    store: bool = True
    include_results: bool = False
    extension: Extension = Extension()
    echo: Mapping[str, Any] = field(default_factory=dict)  # fields the response repeats


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation so far."""

    role: Literal["user", "assistant", "system", "developer"]
    text: str


@dataclass(frozen=True, slots=True)
class Task:
    """What a model is given to write from."""

    question: str  # the last user message
    turns: tuple[Turn, ...]  # everything, the last user message included
    instructions: str | None
    hits: tuple[Hit, ...] | None  # None: no search was made
    text_format: Mapping[str, Any]
    sampling: Sampling
    extension: Extension


@dataclass(frozen=True, slots=True)
class Cited:
    """Passages that support what was written before `index`."""

    citations: tuple[Citation, ...]
    index: int  # code points into the clean text, at most what has been written


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the model counts them; estimates where its server does not tell."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The last thing a model writes."""

    reason: EndReason
    usage: Usage


Written = str | Cited | Finished


class Model(Protocol):
    """Writes cited text; `extractive` and every Chat Completions server are ones."""

    def write(self, task: Task, *, stop: Stop) -> Iterator[Written]:
        """Clean text in pieces, citations where they belong, and `Finished` at the end.

        Raises:
            ModelUnavailable: the model cannot be reached, or gave up.
            Stopped: `stop` was set; nothing more will come.
        """
