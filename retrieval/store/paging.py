"""Pages of lists that are ordered by insertion number."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from retrieval.errors import InvalidRequest
from retrieval.types import Page, PageRequest

T = TypeVar("T")


def fetch_page(
    connection: sqlite3.Connection,
    *,
    select: str,
    where: Sequence[tuple[str, Any]],
    request: PageRequest,
    number: str,
    cursor: Callable[[str], int | None],
    build: Callable[[sqlite3.Row], T],
) -> Page[T]:
    """One page of `select`, by the column `number`.

    Args:
        connection: open, within a transaction.
        select: everything up to WHERE.
        where: conditions with one parameter each; all must hold.
        request: how many, in which order, after or before which id.
        number: the column that holds the insertion number, qualified.
        cursor: id → its insertion number, of deleted objects too; None if never issued.
        build: row → item.

    Raises:
        InvalidRequest: a cursor that was never issued.
    """
    clauses = [condition for condition, _ in where]
    parameters = [value for _, value in where]
    descending = request.order == "desc"
    for name, given in (("after", request.after), ("before", request.before)):
        if given is not None:
            beyond = (name == "after") != descending
            clauses.append(f"{number} {'>' if beyond else '<'} ?")
            parameters.append(_place(name, given, cursor))
    # `before` alone means the page that ends just before the cursor: walk away from the
    # cursor, then turn the page round.
    backwards = request.before is not None and request.after is None
    direction = "DESC" if descending != backwards else "ASC"
    condition = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    sql = f"{select}{condition} ORDER BY {number} {direction} LIMIT ?"
    cursor_ = connection.cursor()
    cursor_.row_factory = sqlite3.Row
    rows = cursor_.execute(sql, [*parameters, request.limit + 1]).fetchall()
    items = [build(row) for row in rows[: request.limit]]
    if backwards:
        items.reverse()
    return Page(tuple(items), has_more=len(rows) > request.limit)


def _place(name: str, id: str, cursor: Callable[[str], int | None]) -> int:
    number = cursor(id)
    if number is None:
        raise InvalidRequest(
            f"Invalid '{name}': no object with id '{id}' was ever in this list.",
            param=name,
            code="invalid_value",
        )
    return number
