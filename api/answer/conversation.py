"""What was said before: the chain of earlier responses, and the question in it all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from api.answer.types import Item, Turn
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
            raise InvalidRequest(
                f"Previous response with id '{wanted}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            ) from None
        links.append([*stored.input_items, *stored.body["output"]])
        wanted = stored.body["previous_response_id"]
    return [item for link in reversed(links) for item in link]


def turns_of(items: Iterable[Item]) -> list[Turn]:
    """The messages among `items` that have text; tool calls and the like have had their use."""
    turns = []
    for item in items:
        if item.get("type") == "message":
            text = message_text(item)
            if text.strip():
                turns.append(Turn(item["role"], text))
    return turns


def message_text(item: Item) -> str:
    """The text of a message's parts, refusals included."""
    parts = item["content"]
    return "\n".join(part.get("text") or part.get("refusal") or "" for part in parts)


def question_texts(turns: Sequence[Turn]) -> tuple[str, ...]:
    """What to search for: the last user message and, where it points back, its subject too.

    "And what does it cost?" alone finds prices of everything; together with the user message
    before it, it finds the right one. Both are searched, each hit keeps its better score.

    >>> question_texts([Turn("user", "Who is Ada?"), Turn("user", "Where was she born?")])
    ('Where was she born?', 'Who is Ada? Where was she born?')
    """
    asked = [turn.text.strip() for turn in turns if turn.role == "user"]
    question = asked[-1]
    short = len(question.split()) <= _MAX_FOLLOW_UP_WORDS
    if len(asked) > 1 and short and (_POINTS_BACK.search(question) or _FOLLOW_UP.match(question)):
        return question, f"{asked[-2]} {question}"
    return (question,)
