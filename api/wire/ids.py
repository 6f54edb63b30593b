"""Ids: opaque, but an id of another kind of object, or one no id can look like, is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from api.wire.validation import echo, refuse
from retrieval.errors import InvalidRequest

PREFIXES: Final[Mapping[str, str]] = {
    "file": "file-",
    "vector_store": "vs_",
    "file_batch": "vsfb_",
    "upload": "upload_",
    "part": "part_",
    "response": "resp_",
    "conversation": "conv_",
    "message": "msg_",
    "file_search_call": "fs_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "compaction": "cmp_",
}

_ALLOWED = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def check_id(value: str, *, param: str, kind: str) -> str:
    """`value`, if it may be the id of a `kind`; whether there is such an object is not asked.

    Raises:
        InvalidRequest: it holds other characters than letters, digits, `_` and `-`, or begins
            with the prefix of another kind.

    >>> check_id("vs_1", param="vector_store_id", kind="vector_store")
    'vs_1'
    """
    complaint = _complaint(value, kind)
    if complaint:
        message = complaint.replace("<path>", param)
        raise InvalidRequest(message, param=param, code="invalid_value")
    return value


def check_characters(value: str, *, param: str) -> str:
    """Like `check_id`, for an id of any kind."""
    return check_id(value, param=param, kind="")


def _complaint(value: str, kind: str) -> str | None:
    shown = f"Invalid '<path>': '{echo(value)}'. Expected an ID that"
    if not _ALLOWED.fullmatch(value):
        return (
            f"{shown} contains letters, numbers, underscores, or dashes, "
            "but this value contained additional characters."
        )
    others = (prefix for name, prefix in PREFIXES.items() if name != kind)
    if kind and value.startswith(tuple(others)):
        return f"{shown} begins with '{PREFIXES[kind]}'."
    return None


def id_schema(kind: str) -> dict[str, Any]:
    """What `check_id` takes for a `kind`, as a JSON schema."""
    others = "|".join(prefix for name, prefix in PREFIXES.items() if name != kind)
    return {"type": "string", "pattern": f"^(?!{others})[A-Za-z0-9_-]+$"}


def _file_id(value: str) -> str:
    complaint = _complaint(value, "file")
    if complaint:
        refuse(complaint)
    return value


FileId = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(_file_id),
    WithJsonSchema(id_schema("file")),
]
