"""What responses and conversations are asked with, for descriptions; other modules check it."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from api.wire.conversations import MAX_ITEMS, AddItems, CreateConversation
from api.wire.responses import CompactResponse, CreateResponse
from api.wire.tools import FileSearchTool, FunctionTool

opened = with_config(ConfigDict(extra="allow"))


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
