"""The envelopes of lists and of deletions."""

from __future__ import annotations

from typing import Any


def list_body(data: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """The envelope of every list; `first_id` and `last_id` are null only on an empty page."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }


def deleted_body(id: str, object: str) -> dict[str, Any]:
    """What a delete answers; `object` is the contract's name for the deleted kind."""
    return {"id": id, "object": object, "deleted": True}
