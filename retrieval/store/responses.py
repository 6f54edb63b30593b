"""Rows of stored responses: JSON as it was sent, opaque to everything below `api`.

A response that is still being written has an `owner`. Only the owner may go on writing, and
only while the row is there and not ended by somebody else: so a cancel or a delete from any
process reaches the writer at its next save.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from retrieval.errors import NotFound

RUNNING = ("queued", "in_progress")


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response with what it was made from and how it was streamed."""

    body: dict[str, Any]
    input_items: list[dict[str, Any]]
    events: list[dict[str, Any]]
    owner: str | None = None  # who writes it; None once it has ended

    @property
    def is_running(self) -> bool:
        """Whether more may come."""
        return self.body["status"] in RUNNING


class Responses:
    """The `responses` and `response_items` tables within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def add(self, id: str, response: StoredResponse) -> None:
        """Insert a response, which may have ended or not."""
        row = self._connection.execute(
            "INSERT INTO responses (id, created_at, body, input_items, events, status, owner)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING n",
            (
                id,
                int(self._clock()),
                json.dumps(response.body),
                json.dumps(response.input_items),
                json.dumps(response.events),
                response.body["status"],
                response.owner,
            ),
        ).fetchone()
        self._index(int(row[0]), [*response.input_items, *response.body["output"]])

    def update(self, id: str, response: StoredResponse, *, by: str | None) -> bool:
        """A newer state of a running response that `by` owns; whether there still is one."""
        row = self._connection.execute(
            "UPDATE responses SET body = ?, events = ?, status = ?, owner = ?"
            " WHERE id = ? AND owner IS ? AND status IN ('queued', 'in_progress') RETURNING n",
            (
                json.dumps(response.body),
                json.dumps(response.events),
                response.body["status"],
                response.owner,
                id,
                by,
            ),
        ).fetchone()
        if row is None:
            return False
        self._index(int(row[0]), response.body["output"])
        return True

    def get(self, id: str) -> StoredResponse:
        """The response of this id, or NotFound."""
        row = self._connection.execute(
            "SELECT body, input_items, events, owner FROM responses WHERE id = ?", (id,)
        ).fetchone()
        if row is None:
            raise NotFound("response", id)
        body, input_items, events = (json.loads(value) for value in row[:3])
        return StoredResponse(body, input_items, events, owner=row[3])

    def item(self, item_id: str) -> dict[str, Any] | None:
        """The item of this id in any stored response, or None."""
        row = self._connection.execute(
            "SELECT responses.id FROM response_items JOIN responses"
            " ON responses.n = response_items.response_n WHERE response_items.id = ?",
            (item_id,),
        ).fetchone()
        if row is None:
            return None
        stored = self.get(row[0])
        items = [*stored.input_items, *stored.body["output"]]
        return next((item for item in items if item.get("id") == item_id), None)

    def remove(self, id: str) -> None:
        """Delete the response, or NotFound."""
        if self._connection.execute("DELETE FROM responses WHERE id = ?", (id,)).rowcount == 0:
            raise NotFound("response", id)

    def _index(self, number: int, items: Iterable[dict[str, Any]]) -> None:
        self._connection.executemany(
            "INSERT OR IGNORE INTO response_items VALUES (?, ?)",
            [(item["id"], number) for item in items if isinstance(item.get("id"), str)],
        )
