"""What was said before: the chain of earlier responses, and the question in it all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from api.answer.compaction import unpacked
from api.answer.types import (
    Entry,
    FunctionCall,
    FunctionResult,
    Item,
    ResponseRequest,
    Turn,
)
from retrieval.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from api.engine import Engine

MAX_CHAIN = 1000  # responses followed back; a longer chain is cut at its old end

# What points back at something said before: without it such a question finds nothing.
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|theirs|this|that|these|those|he|him|his|she|her|hers|there"
    r"|then|one|ones|same|former|latter|above)\b",
    re.IGNORECASE,
)
_FOLLOW_UP = re.compile(
    r"\s*(?:and|but|or|so|also|what about|how about|why|how so)\b", re.IGNORECASE
)
_MAX_FOLLOW_UP_WORDS = 12  # a longer question says what it is about


def earlier_items(engine: Engine, request: ResponseRequest) -> list[Item]:
    """What stands before the request's own input, oldest first.

    Raises:
        NotFound: no such conversation.
        InvalidRequest: no such previous response.
    """
    if request.conversation_id is not None:
        with engine.store.read() as view:
            return view.conversations.items(request.conversation_id)
    return history(engine, request.previous_response_id)


def history(engine: Engine, response_id: str | None) -> list[Item]:
    """Every item of the chain that ends at `response_id`, oldest first; inputs and outputs.

    Raises:
        InvalidRequest: the last response of the chain is not stored. One missing further
            back was deleted by the user, and only ends the chain.
    """
    links: list[list[Item]] = []
    wanted = response_id
    while wanted is not None and len(links) < MAX_CHAIN:
        try:
            stored = engine.load_response(wanted)
        except NotFound:
            if links:
                break
            raise no_previous(wanted) from None
        links.append([*stored.input_items, *stored.body["output"]])
        wanted = stored.body["previous_response_id"]
    return [item for link in reversed(links) for item in link]


def no_previous(response_id: str) -> InvalidRequest:
    """For a `previous_response_id` that leads nowhere."""
    return InvalidRequest(
        f"Previous response with id '{response_id}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def resolved(engine: Engine, items: Iterable[Item], earlier: Sequence[Item]) -> list[Item]:
    """The items with what their references stand for; one that is there already adds nothing.

    Raises:
        NotFound: no such item is stored.
    """
    known = {item.get("id") for item in earlier}
    found = []
    for item in items:
        if item["type"] != "item_reference":
            found.append(item)
        elif item["id"] not in known:
            found.append(_stored_item(engine, item["id"]))
    return found


def _stored_item(engine: Engine, item_id: str) -> Item:
    with engine.store.read() as view:
        item = view.responses.item(item_id) or view.conversations.find_item(item_id)
    if item is None:
        raise NotFound("item", item_id)
    return item


def turns_of(items: Iterable[Item]) -> list[Entry]:
    """The messages, calls and results among `items`; searches have had their use.

    Raises:
        InvalidRequest: a result without its call, or a call without its result.
    """
    turns: list[Entry] = []
    for item in items:
        kind = item.get("type")
        if kind == "message":
            turns.extend(_turn(item))
        elif kind == "compaction":
            turns.extend(unpacked(item))
        elif kind == "function_call" and item.get("status") != "incomplete":
            turns.append(FunctionCall(item["call_id"], item["name"], item["arguments"]))
        elif kind == "function_call_output":
            turns.append(FunctionResult(item["call_id"], _output_text(item["output"])))
    _check_pairs(turns)
    return turns


def _turn(item: Item) -> Iterable[Turn]:
    text = message_text(item)
    parts = tuple(
        part for part in item["content"] if part["type"] in {"input_file", "input_image"}
    )
    return [Turn(item["role"], text, parts)] if text.strip() or parts else []


def _output_text(output: Any) -> str:
    if isinstance(output, str):
        return output
    return "\n".join(part.get("text") or "" for part in output)


def _check_pairs(turns: Sequence[Entry]) -> None:
    calls: set[str] = set()
    results: set[str] = set()
    for turn in turns:
        if isinstance(turn, FunctionCall):
            calls.add(turn.call_id)
        elif isinstance(turn, FunctionResult):
            if turn.call_id not in calls:
                _unpaired(
                    f"No tool call found for function call output with call_id {turn.call_id}."
                )
            results.add(turn.call_id)
    for call_id in sorted(calls - results):
        _unpaired(f"No tool output found for function call {call_id}.")


def _unpaired(message: str) -> NoReturn:
    raise InvalidRequest(message, param="input", code="invalid_value")


def message_text(item: Item) -> str:
    """The text of a message's parts, refusals included."""
    texts = (part.get("text") or part.get("refusal") or "" for part in item["content"])
    return "\n".join(text for text in texts if text)


def question_texts(turns: Sequence[Entry]) -> tuple[str, ...]:
    """What to search for: the last user message and, where it points back, its subject too.

    "And what does it cost?" alone finds prices of everything; together with the user message
    before it, it finds the right one. Both are searched, each hit keeps its better score.

    >>> question_texts([Turn("user", "Who is Ada?"), Turn("user", "Where was she born?")])
    ('Where was she born?', 'Who is Ada? Where was she born?')
    """
    asked = [_asked(turn) for turn in turns if isinstance(turn, Turn) and turn.role == "user"]
    question = asked[-1]
    short = len(question.split()) <= _MAX_FOLLOW_UP_WORDS
    if len(asked) > 1 and short and (_POINTS_BACK.search(question) or _FOLLOW_UP.match(question)):
        return question, f"{asked[-2]} {question}"
    return (question,)


def _asked(turn: Turn) -> str:
    return turn.text.strip() or "(an attached file)"
