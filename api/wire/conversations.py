"""Conversations on the wire: bodies → values, values → replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.answer.types import Item
from api.wire.fields import Metadata
from api.wire.input_items import input_items
from api.wire.responses import Open
from api.wire.validation import missing, parse, too_long, wrong_type
from retrieval.store.conversations import Conversation

MAX_ITEMS = 20  # given at a time


class CreateConversation(Open):
    """The body of `POST /v1/conversations`, but for `items`."""

    metadata: Metadata | None = None


class UpdateConversation(Open):
    """The body of `POST /v1/conversations/{id}`; null clears."""

    metadata: Metadata | None


class AddItems(Open):
    """The body of `POST /v1/conversations/{id}/items`, but for `items`."""


def conversation_metadata(body: Mapping[str, Any]) -> dict[str, str]:
    """The metadata of a new conversation."""
    return dict(parse(CreateConversation, dict(body)).metadata or {})


def new_metadata(body: Mapping[str, Any]) -> dict[str, str]:
    """What is to replace a conversation's metadata."""
    return dict(parse(UpdateConversation, dict(body)).metadata or {})


def given_items(body: Mapping[str, Any], *, required: bool) -> list[Item]:
    """`items`, normalised, each with an id.

    Raises:
        InvalidRequest: they are malformed, too many, or missing although `required`.
    """
    given = body.get("items")
    if given is None and required:
        raise missing("items")
    if given is None or (given == [] and not required):
        return []
    if not isinstance(given, list):
        raise wrong_type("items", expected="an array of objects", got=given)
    if len(given) > MAX_ITEMS:
        raise too_long("items", what="array", limit=MAX_ITEMS, got=len(given))
    return input_items(given, path="items")


def conversation_body(conversation: Conversation) -> dict[str, Any]:
    """A conversation as it is sent."""
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": conversation.created_at,
        "metadata": dict(conversation.metadata),
    }
