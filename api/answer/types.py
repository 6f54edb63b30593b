"""What flows through an answer: a validated request, what a model writes, and the result."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from retrieval.queries import Citation, Hit, Query
from retrieval.verify import MIN_SUPPORT

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
    boxes: bool = False  # and where to draw them on their pages
    fallback_citations: bool = True  # cite for a model that writes no marker
    flag_unsupported: bool = False  # show citations below the bar, as such; else they are dropped
    min_support: float = MIN_SUPPORT  # the bar: support that a citation must have, 0 to 1
    max_source_tokens: int = DEFAULT_SOURCE_TOKENS


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a language model is to write; None leaves it to the server."""

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tools may run. Only tools that `tool_choice` allows are in a request at all."""

    required: bool = False  # the model must call one
    function: str | None = None  # and it must be this one


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """A validated `POST /v1/responses`."""

    model: str
    input_items: tuple[Item, ...]  # normalised, each with its id
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation_id: str | None = None
    searches: tuple[FileSearch, ...] = ()  # the tools that tool_choice lets run
    functions: tuple[Item, ...] = ()  # likewise, as they are echoed
    choice: Choice = Choice()
    max_tool_calls: int | None = None  # searches in one response
    parallel_tool_calls: bool = True
    text_format: Mapping[str, Any] = field(default_factory=lambda: {"type": "text"})
    sampling: Sampling = Sampling()
    truncate: bool = False  # drop the oldest turns that the model cannot read
    stream: bool = False
    background: bool = False
    store: bool = True
    include_results: bool = False
    extension: Extension = Extension()
    echo: Mapping[str, Any] = field(default_factory=dict)  # fields the response repeats


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation so far."""

    role: Literal["user", "assistant", "system", "developer"]
    text: str
    parts: tuple[Item, ...] = ()  # files and images as they came
    files: tuple[str, ...] = ()  # their texts, each with its name
    images: tuple[str, ...] = ()  # URLs, most of them `data:` ones


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function that the model wants the client to run."""

    call_id: str
    name: str
    arguments: str  # JSON
    is_whole: bool = True  # False: the token limit cut it


@dataclass(frozen=True, slots=True)
class FunctionResult:
    """What the client's function gave."""

    call_id: str
    output: str


Entry = Turn | FunctionCall | FunctionResult  # of a conversation


@dataclass(frozen=True, slots=True)
class Task:
    """What a model is given to write from."""

    question: str  # the last user message
    turns: tuple[Entry, ...]  # everything, the last user message included
    instructions: str | None
    can_search: bool
    text_format: Mapping[str, Any]
    sampling: Sampling
    extension: Extension
    functions: tuple[Item, ...] = ()
    choice: Choice = Choice()
    parallel_tool_calls: bool = True
    truncate: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """A model's wish to have the files searched; it is sent the hits, best first.

    Without queries it is the question that is searched, and a failure ends the response. With
    queries of the model's own a failure is answered with None, as is a search too many.
    """

    queries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cited:
    """Passages that support what was written before `index`."""

    citations: tuple[Citation, ...]
    index: int  # code points into the clean text, at most what has been written


@dataclass(frozen=True, slots=True)
class Refusal:
    """A piece of a model's refusal to answer, as some servers tell it apart from text."""

    text: str


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


Written = str | Refusal | Cited | Search | FunctionCall | Finished
Found = tuple[Hit, ...] | None  # what a search is answered with
Writer = Generator[Written, Found, None]


class Model(Protocol):
    """Writes cited text; `extractive` and every Chat Completions server are ones."""

    def write(self, task: Task, *, stop: Stop) -> Writer:
        """Clean text in pieces, citations where they belong, and `Finished` at the end.

        A `Search` on the way is answered with what it found, all else with None. Text before
        and after a search or a call makes two messages; citations count in their own.

        Raises:
            ModelUnavailable: the model cannot be reached, or gave up.
            Stopped: `stop` was set; nothing more will come.
        """
