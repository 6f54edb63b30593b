"""`input` of a response on the wire: a string or items → items as they are stored and listed."""

from __future__ import annotations

import secrets
from typing import Any, Final, NoReturn

from api.answer.types import Item
from api.wire.ids import check_id
from api.wire.passed_items import STATUSES, citations, completed
from api.wire.validation import (
    echo,
    empty,
    kind_of,
    listed,
    missing,
    one_of,
    too_long,
    wrong_type,
)
from retrieval.errors import InvalidRequest
from retrieval.ids import new_id

ROLES: Final = ("user", "assistant", "system", "developer")
# Clients send back the items of earlier responses; their content has had its use.
PASSED: Final = {
    "file_search_call": "fs_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fc_",
    "compaction": "cmp_",
}
# What an item must bring so that a model can be told of it.
_NEEDED: Final = {
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id",),
    "compaction": ("encrypted_content",),
}
MAX_OUTPUT_CHARS = 10 * 1024 * 1024
DETAILS: Final = ("auto", "low", "high", "original")
PHASES: Final = ("commentary", "final_answer")


def input_items(given: Any, *, path: str = "input") -> list[Item]:
    """Normalised items, each with an id.

    Raises:
        InvalidRequest: neither text nor items, an unknown item or part, or nothing at all.
    """
    if isinstance(given, str):
        _check_filled(given, path, what="string")
        return [_message("user", given, path=path)]
    if not isinstance(given, list):
        raise wrong_type(path, expected="a string or an array of objects", got=given)
    _check_filled(given, path, what="array")
    return [_item(item, path=f"{path}[{n}]") for n, item in enumerate(given)]


def _check_filled(value: str | list[Any], path: str, *, what: str) -> None:
    if not (value.strip() if isinstance(value, str) else value):
        raise empty(path, what=what)


def _item(given: Any, *, path: str) -> Item:
    if not isinstance(given, dict):
        raise wrong_type(path, expected="an object", got=given)
    kind = _kind(given, path=path) or "message"
    if kind == "message":
        return _given_message(given, path=path)
    if kind == "item_reference":
        return {"type": kind, "id": _text_field(given, "id", path=path)}
    if kind not in PASSED:
        allowed = listed(("message", "item_reference", *PASSED))
        _refuse(f"Invalid value: '{echo(kind)}'. Supported values are: {allowed}.", f"{path}.type")
    for name in _NEEDED.get(kind, ()):
        _text_field(given, name, path=path)
    has_id = bool(given.get("id"))
    id = _text_field(given, "id", path=path) if has_id else PASSED[kind] + secrets.token_hex(25)
    item = {"id": id, "type": kind, **completed(given, kind, path=path)}
    if kind == "function_call_output":
        item["output"] = _output(given.get("output"), path=f"{path}.output")
    return item


def _kind(given: dict[str, Any], *, path: str) -> str | None:
    return None if given.get("type") is None else _text_field(given, "type", path=path)


def _text_field(given: dict[str, Any], name: str, *, path: str) -> str:
    value = given.get(name)
    if value is None:
        raise missing(f"{path}.{name}")
    if not isinstance(value, str):
        raise wrong_type(f"{path}.{name}", expected="a string", got=value)
    return value


def _output(output: Any, *, path: str) -> str | list[dict[str, Any]]:
    """What a client's function gave: text, or parts of a message."""
    if isinstance(output, list):
        return [_part("user", part, path=f"{path}[{n}]") for n, part in enumerate(output)]
    if not isinstance(output, str):
        raise wrong_type(path, expected="a string or an array of objects", got=output)
    if len(output) > MAX_OUTPUT_CHARS:
        raise too_long(path, what="string", limit=MAX_OUTPUT_CHARS, got=len(output))
    return output


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
    if given.get("status") in STATUSES:
        item["status"] = given["status"]
    if given.get("phase") in PHASES:
        item["phase"] = given["phase"]
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
    kind = _kind(given, path=path)
    if kind in {"input_text", "output_text"}:
        return _text_part(role, given, path=f"{path}.text")
    if kind == "input_image":
        return _image_part(given, path=path)
    if kind == "input_file":
        return _file_part(given, path=path)
    if kind != "refusal" or role != "assistant":
        supported = listed(("input_text", "input_image", "input_file", "output_text", "refusal"))
        _refuse(
            f"Content parts of type '{echo(kind)}' are not served. Served are: {supported}.",
            f"{path}.type",
        )
    return {"type": "refusal", "refusal": _text_field(given, "refusal", path=path)}


def _image_part(given: dict[str, Any], *, path: str) -> dict[str, Any]:
    """An image by its URL or as an uploaded file; a URL is the language model's to fetch."""
    part = _from(given, ("image_url", "file_id"), path=path)
    url = part.get("image_url")
    if url is not None and not url.startswith(("data:", "https://", "http://")):
        _refuse(f"Invalid '{path}.image_url': expected a URL.", f"{path}.image_url")
    detail = one_of(given.get("detail") or "auto", DETAILS, param=f"{path}.detail")
    return {"type": "input_image", "detail": detail, **part}


def _file_part(given: dict[str, Any], *, path: str) -> dict[str, Any]:
    """An uploaded file, or one that comes along; nothing is fetched from elsewhere."""
    if given.get("file_url") is not None:
        _refuse("'file_url' is not served; give 'file_id' or 'file_data'.", f"{path}.file_url")
    part = _from(given, ("file_id", "file_data"), path=path)
    name = given.get("filename")
    return {"type": "input_file", **part, **({"filename": name} if isinstance(name, str) else {})}


def _from(given: dict[str, Any], names: tuple[str, str], *, path: str) -> dict[str, Any]:
    """The one of two fields that says where the bytes are."""
    name = next((each for each in names if given.get(each) is not None), None)
    if name is None:
        raise missing(f"{path}.{names[0]}")
    value = _text_field(given, name, path=path)
    if name == "file_id":
        check_id(value, param=f"{path}.file_id", kind="file")
    return {name: value}


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
    kept = citations(given.get("annotations"))
    return {"type": "output_text", "annotations": kept, "logprobs": [], "text": text}


def _refuse(message: str, param: str) -> NoReturn:
    raise InvalidRequest(message, param=param, code="invalid_value")
