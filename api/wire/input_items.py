"""`input` of a response on the wire: a string or items → items as they are stored and listed."""

from __future__ import annotations

import secrets
from typing import Any, Final, NoReturn

from api.answer.types import Item
from api.wire.validation import echo, empty, kind_of, listed, wrong_type
from retrieval.errors import InvalidRequest
from retrieval.ids import new_id

ROLES: Final = ("user", "assistant", "system", "developer")
# Clients send back the items of earlier responses; their content has had its use.
PASSED: Final = {
    "file_search_call": "fs_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fc_",
}
_STATUSES: Final = ("in_progress", "completed", "incomplete")


def input_items(given: Any) -> list[Item]:
    """Normalised items, each with an id.

    Raises:
        InvalidRequest: neither text nor items, an unknown item or part, or nothing at all.
    """
    if isinstance(given, str):
        _check_filled(given, "input", what="string")
        return [_message("user", given, path="input")]
    if not isinstance(given, list):
        raise wrong_type("input", expected="a string or an array of objects", got=given)
    _check_filled(given, "input", what="array")
    return [_item(item, path=f"input[{n}]") for n, item in enumerate(given)]


def _check_filled(value: str | list[Any], path: str, *, what: str) -> None:
    if not (value.strip() if isinstance(value, str) else value):
        raise empty(path, what=what)


def _item(given: Any, *, path: str) -> Item:
    if not isinstance(given, dict):
        raise wrong_type(path, expected="an object", got=given)
    kind = given.get("type") or "message"
    if kind == "message":
        return _given_message(given, path=path)
    if kind not in PASSED:
        allowed = listed(("message", *PASSED))
        _refuse(f"Invalid value: '{echo(kind)}'. Supported values are: {allowed}.", f"{path}.type")
    return {**given, "id": given.get("id") or PASSED[kind] + secrets.token_hex(25)}


def _given_message(given: dict[str, Any], *, path: str) -> Item:
    role = given.get("role")
    if role is None:
        message = f"Missing required parameter: '{path}.role'."
        raise InvalidRequest(message, param=f"{path}.role", code="missing_required_parameter")
    if role not in ROLES:
        allowed = listed(ROLES)
        _refuse(f"Invalid value: '{echo(role)}'. Supported values are: {allowed}.", f"{path}.role")
    item = _message(role, given.get("content"), path=f"{path}.content")
    if isinstance(given.get("id"), str):
        item["id"] = given["id"]
    if given.get("status") in _STATUSES:
        item["status"] = given["status"]
    return item


def _message(role: str, content: Any, *, path: str) -> Item:
    if isinstance(content, str):
        parts = [_text_part(role, {"text": content}, path=path)]
    elif isinstance(content, list):
        parts = [_part(role, part, path=f"{path}[{n}]") for n, part in enumerate(content)]
    else:
        raise wrong_type(path, expected="a string or an array of objects", got=content)
    return {
        "id": new_id("message"),
        "type": "message",
        "status": "completed",
        "content": parts,
        "role": role,
    }


def _part(role: str, given: Any, *, path: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise wrong_type(path, expected="an object", got=given)
    kind = given.get("type")
    if kind in {"input_text", "output_text"}:
        return _text_part(role, given, path=f"{path}.text")
    if kind != "refusal" or role != "assistant":
        supported = listed(("input_text", "output_text", "refusal"))
        _refuse(
            f"Content parts of type '{echo(kind)}' are not served. Served are: {supported}.",
            f"{path}.type",
        )
    return {"type": "refusal", "refusal": str(given.get("refusal", ""))}


def _text_part(role: str, given: dict[str, Any], *, path: str) -> dict[str, Any]:
    """Text of whoever said it: what the assistant said is output, all else is input."""
    text = given.get("text")
    if not isinstance(text, str):
        expected = (
            f"Invalid type for '{path}': expected a string, but got {kind_of(text)} instead."
        )
        raise InvalidRequest(expected, param=path, code="invalid_type")
    if role != "assistant":
        return {"type": "input_text", "text": text}
    annotations = given.get("annotations")
    kept = [a for a in annotations if isinstance(a, dict)] if isinstance(annotations, list) else []
    return {"type": "output_text", "annotations": kept, "logprobs": [], "text": text}


def _refuse(message: str, param: str) -> NoReturn:
    raise InvalidRequest(message, param=param, code="invalid_value")
