"""Query parameters, read as strictly as bodies: lists, their filters, and the extension."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, cast

from api.wire.ids import check_characters
from api.wire.validation import one_of, out_of_range, wrong_type
from retrieval.types import AttachmentStatus, PageRequest

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_FILES_LIMIT = 10_000  # `/files` alone, where it is the default too

STATUSES = ("in_progress", "completed", "failed", "cancelled")
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def page_request(
    query: Mapping[str, str],
    *,
    default_limit: int = DEFAULT_LIMIT,
    max_limit: int = MAX_LIMIT,
    has_before: bool = True,
) -> PageRequest:
    """The part of a list that `query` asks for; an empty parameter counts as absent.

    Raises:
        InvalidRequest: a limit that is no integer or out of range, an unknown order, a cursor
            that cannot be an id. Whether a cursor was ever issued is the store's to say.

    >>> page_request({"limit": "5", "order": "asc"})
    PageRequest(limit=5, order='asc', after=None, before=None)
    """
    order = one_of(query.get("order") or "desc", ("asc", "desc"), param="order")
    return PageRequest(
        limit=whole(query, "limit", default=default_limit, low=1, high=max_limit),
        order=cast("Literal['asc', 'desc']", order),
        after=_cursor(query, "after"),
        before=_cursor(query, "before") if has_before else None,
    )


def whole(query: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    """The integer parameter `name`, from `low` to `high`, or `default` when it is not given."""
    given = query.get(name)
    if not given:
        return default
    if not _WHOLE.fullmatch(given):
        raise wrong_type(name, expected="an integer", got=given)
    value = int(given)
    if not low <= value <= high:
        raise out_of_range(name, value, bound=high if value > high else low)
    return value


def flag(query: Mapping[str, str], name: str) -> bool:
    """The boolean parameter `name`; absent is false."""
    return one_of(query.get(name) or "false", ("true", "false"), param=name) == "true"


def status_filter(query: Mapping[str, str]) -> AttachmentStatus | None:
    """The state that `filter` asks for, or None for all of them."""
    given = query.get("filter")
    if not given:
        return None
    return cast("AttachmentStatus", one_of(given, STATUSES, param="filter"))


def wants_places(query: Mapping[str, str]) -> bool:
    """Whether a GET asks for the extension with `sourcebook=places`."""
    given = query.get("sourcebook")
    return bool(given) and one_of(str(given), ("places",), param="sourcebook") == "places"


def extras(query: Mapping[str, str], *, allowed: Sequence[str]) -> frozenset[str]:
    """What a GET asks for with `sourcebook=places,progress`: some of `allowed`, or nothing."""
    given = query.get("sourcebook")
    words = given.split(",") if given else []
    return frozenset(one_of(word, allowed, param="sourcebook") for word in words)


def _cursor(query: Mapping[str, str], name: str) -> str | None:
    given = query.get(name)
    return check_characters(given, param=name) if given else None
