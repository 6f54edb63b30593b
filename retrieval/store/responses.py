"""Rows of stored responses: JSON as it was sent, opaque to everything below `api`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from retrieval.errors import NotFound


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response with what it was made from and how it was streamed."""

    body: dict[str, Any]
    input_items: list[dict[str, Any]]
    events: list[dict[str, Any]]


class Responses:
    """The `responses` table within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def save(self, id: str, response: StoredResponse) -> None:
        """Insert the response, or replace the one of this id."""
        self._connection.execute(
            "INSERT INTO responses (id, created_at, body, input_items, events)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body,"
            " input_items = excluded.input_items, events = excluded.events",
            (
                id,
                int(self._clock()),
                json.dumps(response.body),
                json.dumps(response.input_items),
                json.dumps(response.events),
            ),
        )

    def get(self, id: str) -> StoredResponse:
        """The response of this id, or NotFound."""
        row = self._connection.execute(
            "SELECT body, input_items, events FROM responses WHERE id = ?", (id,)
        ).fetchone()
        if row is None:
            raise NotFound("response", id)
        return StoredResponse(*(json.loads(value) for value in row))

    def remove(self, id: str) -> None:
        """Delete the response, or NotFound."""
        if self._connection.execute("DELETE FROM responses WHERE id = ?", (id,)).rowcount == 0:
            raise NotFound("response", id)
