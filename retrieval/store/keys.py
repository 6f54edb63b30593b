"""Rows of API keys.

A key is `sk-sb-`, the public part of its id, `-`, and 256 random bits. So random a secret
cannot be guessed from its hash, however fast hashing is: one SHA-256 without salt is right
here, and would be wrong for passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from retrieval.errors import Conflict, NotFound
from retrieval.ids import new_id

PREFIX = "sk-sb-"
_SECRET_BYTES = 32
_SHAPE = re.compile(rf"{PREFIX}([0-9a-f]{{16}})-[A-Za-z0-9_-]{{43}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret."""

    id: str
    name: str
    created_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """How many keys there are."""

    n_valid: int
    n_revoked: int


class Keys:
    """The `api_keys` table within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def add(self, name: str) -> tuple[Key, str]:
        """Make a key; returns it with the text that clients send, which is stored nowhere."""
        key = Key(new_id("key"), name, int(self._clock()))
        sent = f"{PREFIX}{key.id.removeprefix('key_')}-{secrets.token_urlsafe(_SECRET_BYTES)}"
        self._connection.execute(
            "INSERT INTO api_keys (id, name, sha256, created_at) VALUES (?, ?, ?, ?)",
            (key.id, name, _hash(sent), key.created_at),
        )
        return key, sent

    def all(self) -> list[Key]:
        """Every key ever made, oldest first."""
        rows = self._connection.execute(
            "SELECT id, name, created_at, revoked_at FROM api_keys ORDER BY n"
        )
        return [Key(*row) for row in rows]

    def revoke(self, id: str) -> Key:
        """End a key, at once and for good.

        Raises:
            NotFound: there is no such key.
            Conflict: it is revoked already.
        """
        key = next((key for key in self.all() if key.id == id), None)
        if key is None:
            raise NotFound("key", id)
        if key.revoked_at is not None:
            raise Conflict("key", id, state="revoked already")
        now = int(self._clock())
        self._connection.execute("UPDATE api_keys SET revoked_at = ? WHERE id = ?", (now, id))
        return Key(key.id, key.name, key.created_at, now)

    def held(self) -> Held:
        """How many keys are valid, and how many were revoked."""
        row = self._connection.execute(
            "SELECT count(*) FILTER (WHERE revoked_at IS NULL), count(revoked_at) FROM api_keys"
        ).fetchone()
        return Held(int(row[0]), int(row[1]))

    def accepts(self, sent: str) -> bool:
        """Whether `sent` is a valid key; compared in constant time once its id is known."""
        shape = _SHAPE.fullmatch(sent)
        if shape is None:
            return False
        row = self._connection.execute(
            "SELECT sha256 FROM api_keys WHERE id = ? AND revoked_at IS NULL", (f"key_{shape[1]}",)
        ).fetchone()
        return row is not None and hmac.compare_digest(row[0], _hash(sent))


def _hash(sent: str) -> bytes:
    return hashlib.sha256(sent.encode()).digest()
