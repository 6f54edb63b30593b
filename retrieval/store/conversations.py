"""Rows of conversations and of their items: JSON, opaque to everything below `api`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from retrieval.errors import NotFound
from retrieval.ids import new_id
from retrieval.store.paging import fetch_page
from retrieval.types import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread of items."""

    id: str
    created_at: int  # Unix seconds
    metadata: Mapping[str, str]


class Conversations:
    """The `conversations` and `conversation_items` tables within a snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def create(self, metadata: Mapping[str, str]) -> Conversation:
        """A new one, without items."""
        made = Conversation(new_id("conversation"), int(self._clock()), dict(metadata))
        self._connection.execute(
            "INSERT INTO conversations (id, created_at, metadata) VALUES (?, ?, ?)",
            (made.id, made.created_at, json.dumps(made.metadata)),
        )
        return made

    def get(self, id: str) -> Conversation:
        """The conversation of this id, or NotFound."""
        row = self._connection.execute(
            "SELECT id, created_at, metadata FROM conversations WHERE id = ?", (id,)
        ).fetchone()
        if row is None:
            raise NotFound("conversation", id)
        return Conversation(row[0], row[1], json.loads(row[2]))

    def update(self, id: str, metadata: Mapping[str, str]) -> Conversation:
        """Replace the metadata, or NotFound."""
        self._connection.execute(
            "UPDATE conversations SET metadata = ? WHERE id = ?", (json.dumps(metadata), id)
        )
        return self.get(id)

    def remove(self, id: str) -> None:
        """Delete it with its items, or NotFound."""
        found = self._connection.execute("DELETE FROM conversations WHERE id = ?", (id,))
        if found.rowcount == 0:
            raise NotFound("conversation", id)
        self._connection.execute("DELETE FROM deleted WHERE kind = ?", (_kind(id),))

    def add_items(self, id: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Append items, each with an id; one whose id is there already is replaced in place."""
        number = self._number(id)
        self._connection.executemany(
            "INSERT INTO conversation_items (id, conversation_n, body) VALUES (?, ?, ?)"
            " ON CONFLICT (conversation_n, id) DO UPDATE SET body = excluded.body",
            [(item["id"], number, json.dumps(item)) for item in items],
        )

    def items(self, id: str) -> list[dict[str, Any]]:
        """Every item, oldest first."""
        rows = self._connection.execute(
            "SELECT body FROM conversation_items WHERE conversation_n = ? ORDER BY n",
            (self._number(id),),
        )
        return [json.loads(row[0]) for row in rows]

    def item(self, id: str, item_id: str) -> dict[str, Any]:
        """One item, or NotFound."""
        row = self._connection.execute(
            "SELECT body FROM conversation_items WHERE conversation_n = ? AND id = ?",
            (self._number(id), item_id),
        ).fetchone()
        if row is None:
            raise NotFound("conversation_item", item_id, within=id)
        return dict(json.loads(row[0]))

    def find_item(self, item_id: str) -> dict[str, Any] | None:
        """The item of this id in any conversation, or None."""
        row = self._connection.execute(
            "SELECT body FROM conversation_items WHERE id = ? LIMIT 1", (item_id,)
        ).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def page(self, id: str, request: PageRequest) -> Page[dict[str, Any]]:
        """A page of the items; cursors stay good when their item is deleted."""
        return fetch_page(
            self._connection,
            select="SELECT body FROM conversation_items",
            where=[("conversation_n = ?", self._number(id))],
            request=request,
            number="n",
            cursor=lambda item_id: self._place(id, item_id),
            build=lambda row: json.loads(row["body"]),
        )

    def remove_item(self, id: str, item_id: str) -> None:
        """Delete one item, or NotFound; its place in the order stays known."""
        self.item(id, item_id)
        self._connection.execute(
            "INSERT OR REPLACE INTO deleted (kind, id, n) VALUES (?, ?, ?)",
            (_kind(id), item_id, self._place(id, item_id)),
        )
        self._connection.execute(
            "DELETE FROM conversation_items WHERE conversation_n = ? AND id = ?",
            (self._number(id), item_id),
        )

    def _number(self, id: str) -> int:
        row = self._connection.execute(
            "SELECT n FROM conversations WHERE id = ?", (id,)
        ).fetchone()
        if row is None:
            raise NotFound("conversation", id)
        return int(row[0])

    def _place(self, id: str, item_id: str) -> int | None:
        row = self._connection.execute(
            "SELECT n FROM conversation_items WHERE conversation_n = ?1 AND id = ?2"
            " UNION ALL SELECT n FROM deleted WHERE kind = ?3 AND id = ?2",
            (self._number(id), item_id, _kind(id)),
        ).fetchone()
        return None if row is None else int(row[0])


def _kind(conversation_id: str) -> str:
    """What deleted items of this conversation are kept as in `deleted`."""
    return f"item:{conversation_id}"
