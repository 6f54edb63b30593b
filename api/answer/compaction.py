"""A conversation made short: one item that stands for what was said before.

The item is opaque to clients and holds everything itself, so nothing is stored for it. It is
packed, not encrypted: what is in it is the client's own conversation.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any, cast

from api.answer.types import Entry, Item, Turn
from retrieval.errors import InvalidRequest
from retrieval.ids import new_id

KEPT_TOKENS = 2000  # of the newest messages
_ROLES = ("user", "assistant", "system", "developer")
_MAX_BYTES = 1 << 24  # of an unpacked item


def compacted(turns: Sequence[Entry], *, count_tokens: Callable[[str], int]) -> tuple[Item, int]:
    """One item with the newest messages that fit `KEPT_TOKENS`, and with every instruction.

    Returns it with the number of tokens that it stands for.

    Calls of functions and their results go: the answers after them say what came of it.
    """
    messages = [turn for turn in turns if isinstance(turn, Turn) and turn.text.strip()]
    left = KEPT_TOKENS
    kept: list[tuple[str, str]] = []
    for turn in reversed(messages):
        is_rule = turn.role in {"system", "developer"}
        left -= 0 if is_rule else count_tokens(turn.text)
        if is_rule or left >= 0 or not kept:
            kept.append((turn.role, turn.text))
    item = {
        "id": new_id("compaction"),
        "type": "compaction",
        "encrypted_content": _packed(kept[::-1]),
    }
    return item, sum(count_tokens(text) for _, text in kept)


def unpacked(item: Item) -> list[Turn]:
    """The messages that a compaction item stands for.

    Raises:
        InvalidRequest: the item is not one of ours.
    """
    try:
        raw = base64.urlsafe_b64decode(item["encrypted_content"])
        inflate = zlib.decompressobj()
        rows = json.loads(inflate.decompress(raw, _MAX_BYTES))
        if any(role not in _ROLES for role, _ in rows):
            raise ValueError(rows)  # noqa: TRY301 - like everything else that is wrong with it
        return [Turn(cast("Any", role), str(text)) for role, text in rows]
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as exc:
        raise InvalidRequest(
            "Invalid 'encrypted_content': it was not made by this server.",
            param="input",
            code="invalid_value",
        ) from exc


def _packed(rows: Sequence[tuple[str, str]]) -> str:
    raw = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(raw)).decode()
