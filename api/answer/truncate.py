"""Conversations that are longer than the language model can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from api.answer.types import Entry, FunctionCall, FunctionResult, Turn
from retrieval.errors import InvalidRequest


def within_context(
    turns: Sequence[Entry],
    *,
    room: int,
    count_tokens: Callable[[str], int],
    truncate: bool,
) -> tuple[Entry, ...]:
    """The turns that fit `room` tokens.

    Leading instructions stay and so does the last user message with what follows it; between
    them the oldest go first, a call together with its results.

    Raises:
        InvalidRequest: they do not fit, and may not be dropped or are still too many.
    """
    sizes = [count_tokens(entry_text(turn)) for turn in turns]
    total = sum(sizes)
    first, last = _leading(turns), _last_user(turns)
    kept = list(range(len(turns)))
    while total > room and truncate and first < last:
        gone = _group(turns, first, last)
        total -= sum(sizes[first:gone])
        kept = [i for i in kept if not first <= i < gone]
        first = gone
    if total > room:
        raise InvalidRequest(
            f"Your input exceeds the context window of this model: {total} tokens, where {room}"
            " are left for it. Shorten it, or set 'truncation' to 'auto'.",
            param="input",
            code="context_length_exceeded",
        )
    return tuple(turns[i] for i in kept)


def entry_text(entry: Entry) -> str:
    """Everything of a turn, a call or a result that counts as tokens."""
    if isinstance(entry, Turn):
        return "\n".join([entry.text, *entry.files])
    return entry.arguments if isinstance(entry, FunctionCall) else entry.output


def _leading(turns: Sequence[Entry]) -> int:
    for n, turn in enumerate(turns):
        if not isinstance(turn, Turn) or turn.role not in {"system", "developer"}:
            return n
    return len(turns)


def _last_user(turns: Sequence[Entry]) -> int:
    return max(n for n, turn in enumerate(turns) if isinstance(turn, Turn) and turn.role == "user")


def _group(turns: Sequence[Entry], first: int, last: int) -> int:
    """Where what goes together with `first` ends: calls with their results."""
    end = first + 1
    if isinstance(turns[first], FunctionCall | FunctionResult):
        while end < last and isinstance(turns[end], FunctionCall | FunctionResult):
            end += 1
    return end
