"""Answers that must fit a JSON schema: the schema is checked before, the answer after.

References lead nowhere but into the schema itself: nothing is fetched for a client.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from api.answer.failures import UpstreamFailed
from retrieval.errors import InvalidRequest

MAX_TOLD = 300  # characters of what is wrong


def check_schema(schema: Mapping[str, Any], *, name: str) -> None:
    """Raise InvalidRequest unless `schema` is a JSON schema of an object.

    Args:
        schema: from `text.format`.
        name: of the format, for the message.
    """
    # Imported here: most requests have no schema.
    from jsonschema import (  # type: ignore[import-untyped] # noqa: PLC0415
        Draft202012Validator,
        SchemaError,
    )

    problem = None
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as exc:
        problem = exc.message[:MAX_TOLD]
    if schema.get("type") not in ("object", None):  # a list of types is no member of a set
        problem = f"schema must be a JSON Schema of 'type: \"object\"', got '{schema.get('type')}'"
    if problem:
        raise InvalidRequest(
            f"Invalid schema for response_format '{name}': {problem}.",
            param="text.format.schema",
            code="invalid_json_schema",
        )


def check_answer(text: str, text_format: Mapping[str, Any]) -> None:
    """Raise UpstreamFailed if the format is strict and `text` does not fit it."""
    if text_format["type"] != "json_schema" or not text_format.get("strict"):
        return
    problem = _problem(text, text_format["schema"])
    if problem:
        raise UpstreamFailed(
            f"The model's answer does not fit the JSON schema '{text_format['name']}': {problem}"
        )


def _problem(text: str, schema: Mapping[str, Any]) -> str | None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - as above
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    try:
        found = json.loads(text)
    except ValueError as exc:
        return f"it is not JSON ({exc})."
    checker = Draft202012Validator(dict(schema), registry=Registry())
    try:
        error = next(checker.iter_errors(found), None)
    except Unresolvable as exc:
        return f"the schema refers to what is not in it ({exc})."
    return None if error is None else f"{error.message[:MAX_TOLD]}."
