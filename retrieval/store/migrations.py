"""Numbered steps from an empty database to `schema.sql`; run once each, never edited.

`PRAGMA user_version` holds the number of steps done, so opening a current database reads
one integer and imports nothing.
"""

from __future__ import annotations

import sqlite3
from importlib import resources
from typing import TYPE_CHECKING

from retrieval.errors import IncompatibleStore

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

VERSION = 4


def schema() -> str:
    """The whole schema as it is after the last step."""
    return _script("schema.sql")


def _script(name: str) -> str:
    return resources.files("retrieval.store").joinpath(name).read_text("utf-8")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to `VERSION`; on return that is durable.

    Each step is one transaction: a crash leaves whole steps. Two processes that open a new
    folder at once take turns at the write lock, and the second finds nothing to do.

    Raises:
        IncompatibleStore: a newer Sourcebook wrote this database.
    """
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise IncompatibleStore(
            "the data folder's schema", found=str(found), supported=str(VERSION)
        )
    if found < VERSION:
        _apply(connection)


def _apply(connection: sqlite3.Connection) -> None:
    # Imported here: a current database never pays for it, and start-up is counted in
    # tenths of a second.
    from sqlite_utils import Database  # noqa: PLC0415

    database = Database(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        _steps().apply(database)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _steps() -> Migrations:
    from sqlite_utils import Migrations  # noqa: PLC0415

    steps = Migrations("sourcebook")

    @steps(name="0001_first_schema")
    def _first_schema(database: Database) -> None:
        _run(database, "schema_v1.sql")

    @steps(name="0002_uploads_expiry_keys")
    def _uploads_expiry_keys(database: Database) -> None:
        _run(database, "schema_v2.sql")

    @steps(name="0003_running_responses_conversations")
    def _running_responses_conversations(database: Database) -> None:
        _run(database, "schema_v3.sql")

    @steps(name="0004_progress_sources_models")
    def _progress_sources_models(database: Database) -> None:
        _run(database, "schema_v4.sql")

    return steps


def _run(database: Database, name: str) -> None:
    for statement in statements(_script(name)):
        database.execute(statement)


def statements(script: str) -> list[str]:
    """The statements of an SQL script, one by one.

    `executescript` would commit the transaction that a step runs in.
    """
    found: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    return found
