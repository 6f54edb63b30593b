"""`POST /v1/responses` on the wire: the body → a `ResponseRequest`, with what it echoes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.answer.types import (
    DEFAULT_SOURCE_TOKENS,
    Extension,
    Item,
    ResponseRequest,
    Sampling,
)
from api.wire.fields import Metadata
from api.wire.ids import check_id
from api.wire.input_items import input_items
from api.wire.sourcebook import Wanted
from api.wire.spelling import check_spelling
from api.wire.tools import Offered, chosen, tool_choice, tools
from api.wire.validation import Closed, listed, missing, parse, wrong_type
from retrieval.errors import InvalidRequest
from retrieval.ids import new_id
from retrieval.verify import MIN_SUPPORT

MIN_OUTPUT_TOKENS = 16
RESULTS: Final = "file_search_call.results"
INCLUDABLE: Final = (
    RESULTS,
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Tier = Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"]


class Open(Closed):
    """Keys that are not ours are let through: this object grows faster than its clients."""

    model_config = ConfigDict(extra="ignore")


class Format(Open):
    """`text.format`."""

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[str, StringConstraints(max_length=64)] | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None
    description: str | None = None


class Text(Open):
    """`text`."""

    format: Format | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Open):
    """`reasoning`; the effort goes to the backend."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class WantedOfAnswer(Wanted):
    """The request's `sourcebook` object."""

    fallback_citations: bool | None = None
    unsupported: Literal["drop", "flag"] | None = None
    min_support: float | None = Field(default=None, ge=0.0, le=1.0)
    max_tokens: int | None = Field(default=None, ge=100, le=1_000_000)


class CreateResponse(Open):
    """The body, but for `input`, `tools` and `tool_choice`, which have files of their own."""

    model: Annotated[str, StringConstraints(min_length=1)]
    instructions: str | None = None
    previous_response_id: str | None = None
    include: list[str] | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    max_output_tokens: int | None = Field(default=None, ge=MIN_OUTPUT_TOKENS)
    max_tool_calls: int | None = Field(default=None, ge=1)
    parallel_tool_calls: bool | None = None
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    top_p: float | None = Field(default=None, ge=0.0, le=1.0)
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    text: Text | None = None
    reasoning: Reasoning | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: Metadata | None = None
    user: str | None = None
    safety_identifier: Annotated[str, StringConstraints(max_length=128)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    service_tier: Tier | None = None
    sourcebook: WantedOfAnswer | None = None


# With what is looked at elsewhere, and what is taken and has no effect here.
KNOWN = frozenset(CreateResponse.model_fields) | frozenset(
    str.split("""
    input tools tool_choice conversation stream_options prompt prompt_cache_options moderation
    context_management access_programs background_options image
    """)
)


def response_request(body: Mapping[str, Any], *, places: bool) -> ResponseRequest:
    """The validated request.

    Args:
        body: the decoded JSON object.
        places: the server's setting; the request's own `sourcebook.places` wins.

    Raises:
        InvalidRequest: with the dotted path of what is wrong.
    """
    check_spelling(body, KNOWN)
    given = parse(CreateResponse, dict(body))
    _refuse_unserved(body, given)
    offered = tools(body.get("tools"))
    choice = tool_choice(body.get("tool_choice"), offered)
    allowed, how = chosen(choice, offered)
    return ResponseRequest(
        model=given.model,
        input_items=tuple(input_items(body.get("input"))),
        instructions=given.instructions,
        previous_response_id=given.previous_response_id,
        conversation_id=conversation_id(body.get("conversation")),
        searches=allowed.searches,
        functions=allowed.functions,
        choice=how,
        max_tool_calls=given.max_tool_calls,
        parallel_tool_calls=given.parallel_tool_calls is not False,
        text_format=_format(given),
        sampling=_sampling(given),
        truncate=given.truncation == "auto",
        stream=bool(given.stream),
        background=bool(given.background),
        store=given.store is not False,
        include_results=RESULTS in _include(given),
        extension=_extension(given.sourcebook, places=places),
        echo=_echo(given, offered, choice),
    )


class CompactResponse(Open):
    """The body of `POST /v1/responses/compact`, but for `input`."""

    model: Annotated[str, StringConstraints(min_length=1)]
    instructions: str | None = None
    previous_response_id: str | None = None


def compact_request(body: Mapping[str, Any]) -> ResponseRequest:
    """What is to be made short, as a request that would go on from there."""
    given = parse(CompactResponse, dict(body))
    if body.get("input") is None and given.previous_response_id is None:
        raise missing("input")
    return ResponseRequest(
        model=given.model,
        input_items=tuple(input_items(body["input"])) if body.get("input") is not None else (),
        instructions=given.instructions,
        previous_response_id=given.previous_response_id,
    )


def compaction_body(item: Item, *, usage: Mapping[str, Any]) -> dict[str, Any]:
    """What a compaction answers: the item that stands for everything before it."""
    return {
        "id": new_id("response"),
        "object": "response.compaction",
        "created_at": int(time.time()),
        "output": [item],
        "usage": dict(usage),
    }


def partial_request(body: Mapping[str, Any], *, default: str) -> ResponseRequest:
    """A request of which anything may be missing, to count its tokens.

    Args:
        body: the decoded JSON object.
        default: the model if none is named.
    """
    has_input = body.get("input") is not None
    filled = {
        **body,
        "model": body.get("model") or default,
        "input": body["input"] if has_input else "(none)",
        "background": None,
    }
    request = response_request(filled, places=False)
    return request if has_input else replace(request, input_items=())


def _refuse_unserved(body: Mapping[str, Any], given: CreateResponse) -> None:
    if given.background and given.store is False:
        _unserved("background", "Responses in the background are stored; leave out 'store'.")
    if body.get("prompt") is not None:
        _unserved("prompt", "'prompt' is not served; give 'input' and 'instructions'.")
    if body.get("conversation") is not None and given.previous_response_id is not None:
        _unserved(
            "previous_response_id",
            "Give 'previous_response_id' or 'conversation', not both: each says what came before.",
        )
    if body.get("input") is None:
        message = "Missing required parameter: 'input'."
        raise InvalidRequest(message, param="input", code="missing_required_parameter")


def conversation_id(given: Any) -> str | None:
    """`conversation`, an id or an object with one, as the id."""
    if given is None:
        return None
    value = given.get("id") if isinstance(given, dict) else given
    if not isinstance(value, str):
        raise wrong_type("conversation", expected="a string or an object", got=given)
    return check_id(value, param="conversation", kind="conversation")


def _unserved(param: str, message: str) -> None:
    raise InvalidRequest(message, param=param, code="invalid_value")


def _include(given: CreateResponse) -> list[str]:
    for n, name in enumerate(given.include or []):
        if name not in INCLUDABLE:
            raise InvalidRequest(
                f"Invalid value: '{name[:100]}'. Supported values are: {listed(INCLUDABLE)}.",
                param=f"include[{n}]",
                code="invalid_value",
            )
    return given.include or []


def _format(given: CreateResponse) -> dict[str, Any]:
    asked = given.text.format if given.text else None
    if asked is None:
        return {"type": "text"}
    if asked.type != "json_schema":
        return {"type": asked.type}
    for name, value in (("name", asked.name), ("schema", asked.schema_)):
        if value is None:
            path = f"text.format.{name}"
            message = f"Missing required parameter: '{path}'."
            raise InvalidRequest(message, param=path, code="missing_required_parameter")
    shown = asked.model_dump(by_alias=True, exclude_none=True)
    return {**shown, "strict": bool(asked.strict)}


def _sampling(given: CreateResponse) -> Sampling:
    return Sampling(
        temperature=given.temperature,
        top_p=given.top_p,
        max_output_tokens=given.max_output_tokens,
        reasoning_effort=given.reasoning.effort if given.reasoning else None,
    )


def _extension(asked: WantedOfAnswer | None, *, places: bool) -> Extension:
    asked = asked or WantedOfAnswer()
    flags = asked.unsupported == "flag"  # which only places can show
    return Extension(
        places=bool(asked.boxes) or flags or (places if asked.places is None else asked.places),
        boxes=bool(asked.boxes),
        fallback_citations=asked.fallback_citations is not False,
        flag_unsupported=flags,
        min_support=MIN_SUPPORT if asked.min_support is None else asked.min_support,
        max_source_tokens=asked.max_tokens or DEFAULT_SOURCE_TOKENS,
    )


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _echo(given: CreateResponse, offered: Offered, choice: str | dict[str, Any]) -> dict[str, Any]:
    """What the response repeats of its request, defaults filled in; every key always there."""
    reasoning = given.reasoning or Reasoning()
    verbosity = given.text.verbosity if given.text else None
    return {
        "background": bool(given.background),
        "max_output_tokens": given.max_output_tokens,
        "max_tool_calls": given.max_tool_calls,
        "parallel_tool_calls": given.parallel_tool_calls is not False,
        "reasoning": {"effort": reasoning.effort, "summary": reasoning.summary},
        "temperature": _or(given.temperature, 1.0),
        "top_p": _or(given.top_p, 1.0),
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "text": {"format": _format(given), "verbosity": verbosity or "medium"},
        "tool_choice": choice,
        "tools": list(offered.echo),
        "top_logprobs": given.top_logprobs or 0,
        "truncation": given.truncation or "disabled",
        "metadata": given.metadata or {},
        "user": given.user,
        "safety_identifier": given.safety_identifier,
        "prompt_cache_key": given.prompt_cache_key,
        "prompt_cache_retention": _retention(given.prompt_cache_retention),
    }


def _retention(given: str | None) -> str | None:
    """The spelling of today; clients of 2025 write a hyphen."""
    return "in_memory" if given == "in-memory" else given
