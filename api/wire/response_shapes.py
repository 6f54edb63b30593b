"""The shapes of responses and conversations as we send them; other modules make them."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from api.wire.filters import Filters
from api.wire.replies import (
    AttributeMap,
    DeletedEnvelope,
    ListEnvelope,
    MetadataMap,
    Score,
    SpanObject,
    UnixSeconds,
    closed,
)
from api.wire.response_bodies import (
    AllowedTools,
    ChosenTool,
    ConversationReference,
    FilePart,
    ImagePart,
    RefusalPart,
    opened,
)
from api.wire.responses import Format


@closed
class FindingObject(TypedDict):
    """What speaks against a claim; `text` is the words in question, or empty for all of it."""

    kind: Literal["number", "unit", "date", "entity", "negation", "quote", "source", "support"]
    text: str


ItemStatus = Literal["in_progress", "searching", "completed", "incomplete", "failed"]


@closed
class CitationExtension(SpanObject):
    """With `sourcebook`: the quoted passage, its place, and how well it supports the answer."""

    hit_id: str
    quote: str
    score: Score
    supported: bool
    findings: list[FindingObject]


@closed
class ResultExtension(SpanObject):
    """With `sourcebook`: the hit's id and place."""

    id: str
    heading_path: list[str]


@closed
class FileCitation(TypedDict):
    """The file that supports what was written before `index`, in code points of the text."""

    type: Literal["file_citation"]
    file_id: str
    filename: str
    index: int
    sourcebook: NotRequired[CitationExtension]


@opened
class OutputText(TypedDict):
    """Text with its citations."""

    type: Literal["output_text"]
    text: str
    annotations: list[FileCitation | dict[str, Any]]
    logprobs: list[Any]


@opened
class InputText(TypedDict):
    """Text of a user, a developer or the system."""

    type: Literal["input_text"]
    text: str


@opened
class Message(TypedDict):
    """What somebody said."""

    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["user", "assistant", "system", "developer"]
    content: list[OutputText | InputText | ImagePart | FilePart | RefusalPart]


@closed
class SearchCallResult(TypedDict):
    """A chunk that the model was given."""

    file_id: str
    filename: str
    score: Score
    text: str
    attributes: AttributeMap
    vector_store_id: str
    sourcebook: NotRequired[ResultExtension]


@opened
class FileSearchCall(TypedDict):
    """One search; `results` are there when `include` asks for them."""

    id: str
    type: Literal["file_search_call"]
    status: ItemStatus
    queries: list[str]
    results: NotRequired[list[SearchCallResult] | None]


@closed
class FunctionCallItem(TypedDict):
    """A function that the client is to run; `arguments` is JSON."""

    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    arguments: str


@closed
class CompactionItem(TypedDict):
    """Stands for what was said before; send it back as it is."""

    id: str
    type: Literal["compaction"]
    encrypted_content: str


@opened
class OtherItem(TypedDict):
    """An item of an earlier response as it was sent back to us."""

    id: str
    type: Literal["reasoning", "function_call", "function_call_output", "compaction"]


Item = Message | FileSearchCall | FunctionCallItem | OtherItem


@closed
class InputTokensDetails(TypedDict):
    """Of the input tokens."""

    cached_tokens: int
    cache_write_tokens: int


@closed
class OutputTokensDetails(TypedDict):
    """Of the output tokens."""

    reasoning_tokens: int


@closed
class Usage(TypedDict):
    """Tokens; the chunks a model was given count as input."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


@closed
class ResponseFailure(TypedDict):
    """Why the response failed."""

    code: str
    message: str


@closed
class IncompleteDetails(TypedDict):
    """Why the answer ends early."""

    reason: Literal["max_output_tokens", "content_filter"]


@closed
class ReasoningObject(TypedDict):
    """As asked for."""

    effort: str | None
    summary: str | None


@closed
class TextObject(TypedDict):
    """As asked for."""

    format: Format
    verbosity: Literal["low", "medium", "high"]


@closed
class HybridObject(TypedDict):
    """As asked for."""

    embedding_weight: float
    text_weight: float


@closed
class RankingObject(TypedDict):
    """As asked for, defaults filled in."""

    ranker: str
    score_threshold: float
    hybrid_search: NotRequired[HybridObject]


@closed
class FileSearchObject(TypedDict):
    """The tool as asked for, defaults filled in."""

    type: Literal["file_search"]
    vector_store_ids: list[str]
    max_num_results: int
    filters: Filters
    ranking_options: RankingObject


@closed
class FunctionObject(TypedDict):
    """The function as given, defaults filled in."""

    type: Literal["function"]
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool


@opened
class ResponseObject(TypedDict):
    """An answer with everything that led to it."""

    id: str
    object: Literal["response"]
    created_at: UnixSeconds
    completed_at: UnixSeconds | None
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    background: bool
    store: bool
    error: ResponseFailure | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    model: str
    output: list[Item]
    parallel_tool_calls: bool
    previous_response_id: str | None
    conversation: NotRequired[ConversationReference]
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    reasoning: ReasoningObject
    safety_identifier: str | None
    service_tier: str
    temperature: float
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    text: TextObject
    tool_choice: Literal["none", "auto", "required"] | ChosenTool | AllowedTools
    tools: list[FileSearchObject | FunctionObject]
    top_logprobs: int
    truncation: Literal["auto", "disabled"]
    usage: Usage | None
    user: str | None
    metadata: MetadataMap


@closed
class ConversationObject(TypedDict):
    """A thread of items."""

    id: str
    object: Literal["conversation"]
    created_at: UnixSeconds
    metadata: MetadataMap


@closed
class ConversationDeleted(DeletedEnvelope):
    """The conversation is gone, with its items."""

    object: Literal["conversation.deleted"]


@closed
class InputTokens(TypedDict):
    """Tokens of an input, as the embedding model counts them."""

    object: Literal["response.input_tokens"]
    input_tokens: int


@closed
class CompactionObject(TypedDict):
    """A conversation made short."""

    id: str
    object: Literal["response.compaction"]
    created_at: UnixSeconds
    output: list[CompactionItem]
    usage: Usage


@closed
class ResponseDeleted(DeletedEnvelope):
    """The response is gone."""

    object: Literal["response.deleted"]


@closed
class ItemList(ListEnvelope):
    """A page of a response's input items."""

    data: list[Item]


@opened
class StreamEvent(TypedDict):
    """One server-sent event; each is one line of JSON after `data: `."""

    type: str
    sequence_number: int
