"""The shapes of responses, both ways, for descriptions; other modules check and make them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from api.wire.conversations import MAX_ITEMS, AddItems, CreateConversation
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
from api.wire.responses import CompactResponse, CreateResponse, Format
from api.wire.tools import FileSearchTool, FunctionTool

opened = with_config(ConfigDict(extra="allow"))

ItemStatus = Literal["in_progress", "searching", "completed", "incomplete", "failed"]


# --- what is sent to us -------------------------------------------------------------------


@opened
class InputPart(TypedDict):
    """A piece of a message; what a client sends beside its text is let through."""

    type: Literal["input_text", "output_text"]
    text: str


@opened
class ImagePart(TypedDict):
    """An image, by URL or as an uploaded file; for language models that see."""

    type: Literal["input_image"]
    image_url: NotRequired[str | None]
    file_id: NotRequired[str | None]
    detail: NotRequired[Literal["auto", "low", "high", "original"] | None]


@opened
class FilePart(TypedDict):
    """A file whose text a language model is to read: an uploaded one, or base64."""

    type: Literal["input_file"]
    file_id: NotRequired[str | None]
    file_data: NotRequired[str | None]
    filename: NotRequired[str | None]


@opened
class RefusalPart(TypedDict):
    """What an assistant said instead of an answer."""

    type: Literal["refusal"]
    refusal: str


@opened
class InputMessage(TypedDict):
    """A message; `type` may be left out."""

    type: NotRequired[Literal["message"] | None]
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[InputPart | ImagePart | FilePart | RefusalPart]
    id: NotRequired[str | None]
    status: NotRequired[Literal["in_progress", "completed", "incomplete"] | None]
    phase: NotRequired[Literal["commentary", "final_answer"] | None]


@opened
class FunctionCallInput(TypedDict):
    """A call that a model asked for, sent back."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str


@opened
class FunctionOutputInput(TypedDict):
    """What a called function gave; at most 10 MiB of text."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[InputPart | ImagePart | FilePart]


@opened
class CompactionInput(TypedDict):
    """What stands for an earlier conversation."""

    type: Literal["compaction"]
    encrypted_content: str


@opened
class ItemReference(TypedDict):
    """A stored item."""

    type: Literal["item_reference"]
    id: str


@opened
class EarlierItem(TypedDict):
    """An item of an earlier response, sent back; it is kept and listed, and has had its use."""

    type: Literal["file_search_call", "reasoning"]


@opened
class ChosenTool(TypedDict):
    """A tool by its type; a function by its name too."""

    type: Literal["file_search", "function"]
    name: NotRequired[str]


@opened
class AllowedTools(TypedDict):
    """Which of `tools` may run."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[ChosenTool]


@opened
class ConversationReference(TypedDict):
    """A conversation by its id."""

    id: str


_InputItem = (
    InputMessage
    | FunctionCallInput
    | FunctionOutputInput
    | CompactionInput
    | ItemReference
    | EarlierItem
)
_Input = Annotated[str, Field(pattern=r"\S")] | Annotated[list[_InputItem], Field(min_length=1)]


class _ResponseFields(CreateResponse):
    model_config = ConfigDict(extra="allow")

    prompt: None = None
    conversation: str | ConversationReference | None = None
    tools: list[FileSearchTool | FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenTool | AllowedTools | None = None


class ResponseBody(_ResponseFields):
    """Body of `POST /responses`; other keys of the hosted service are let through."""

    input: _Input


class InputTokensBody(_ResponseFields):
    """Body of `POST /responses/input_tokens`: that of a response, of which all may be missing."""

    model: Annotated[str | None, Field(min_length=1)] = None  # type: ignore[assignment]
    input: _Input | None = None


class CompactBody(CompactResponse):
    """Body of `POST /responses/compact`; `input` or `previous_response_id` is needed."""

    model_config = ConfigDict(extra="allow")

    input: _Input | None = None


class ConversationBody(CreateConversation):
    """Body of `POST /conversations`."""

    items: list[_InputItem] | None = Field(default=None, max_length=MAX_ITEMS)


class ItemsBody(AddItems):
    """Body of `POST /conversations/{conversation_id}/items`."""

    items: list[_InputItem] = Field(min_length=1, max_length=MAX_ITEMS)


# --- what we send -------------------------------------------------------------------------


@closed
class CitationExtension(SpanObject):
    """With `sourcebook`: the quoted passage, its place, and how well it supports the answer."""

    hit_id: str
    quote: str
    score: Score


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
