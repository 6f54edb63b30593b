"""Items of earlier responses that clients send back: completed, so that they can be listed again.

What clients drop on the way (a status, an empty list) is put back; what has another type than
the item ever had is refused, because every later list of the items would show it; what no item has
goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.answer.types import Item
from api.wire.validation import wrong_type

STATUSES: Final = ("in_progress", "completed", "incomplete")
# Fields of text that each kind has beside those of its own.
_TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "file_search_call": (),
    "reasoning": ("encrypted_content",),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id",),
    "compaction": ("encrypted_content",),
}
_RESULT: Final[Mapping[str, tuple[type | tuple[type, ...], str]]] = {
    "attributes": (dict, "an object"),
    "file_id": (str, "a string"),
    "filename": (str, "a string"),
    "score": ((int, float), "a number"),
    "text": (str, "a string"),
    "vector_store_id": (str, "a string"),
    "sourcebook": (dict, "an object"),
}
_SEARCH_STATUSES: Final = (*STATUSES, "searching", "failed")


def completed(given: Item, kind: str, *, path: str) -> Item:
    """What is kept of an item of this kind: the fields that its lists show, and no other.

    Raises:
        InvalidRequest: one of them is of another type.
    """
    kept = {name: given[name] for name in _TEXTS[kind] if name in given}
    for name, value in kept.items():
        if value is not None and not isinstance(value, str):
            raise wrong_type(f"{path}.{name}", expected="a string", got=value)
    if kind == "file_search_call":
        results = given.get("results")
        return {
            "status": _status(given, _SEARCH_STATUSES),
            "queries": _texts(given.get("queries"), path=f"{path}.queries"),
            "results": None if results is None else _results(results, path=f"{path}.results"),
        }
    if kind == "reasoning":
        return {
            **kept,
            **_reasoned(given, "summary", "summary_text", path=path),
            **(
                _reasoned(given, "content", "reasoning_text", path=path)
                if "content" in given
                else {}
            ),
        }
    return kept if kind == "compaction" else {**kept, "status": _status(given, STATUSES)}


def _reasoned(given: Item, name: str, kind: str, *, path: str) -> Item:
    parts = _objects(given.get(name) or [], path=f"{path}.{name}")
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return {name: [{"type": kind, "text": text} for text in texts]}


def _results(given: Any, *, path: str) -> list[dict[str, Any]]:
    return [
        _result(each, path=f"{path}[{n}]") for n, each in enumerate(_objects(given, path=path))
    ]


def _result(given: dict[str, Any], *, path: str) -> dict[str, Any]:
    """A hit as it was sent; nothing is made up that a client dropped."""
    kept = {name: given[name] for name in _RESULT if given.get(name) is not None}
    for name, value in kept.items():
        kind, expected = _RESULT[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise wrong_type(f"{path}.{name}", expected=expected, got=value)
    return kept


def citations(annotations: Any) -> list[dict[str, Any]]:
    """Those of a message's annotations that are whole file citations; others had their use."""
    given = annotations if isinstance(annotations, list) else []
    return [each for each in given if isinstance(each, dict) and _is_citation(each)]


def _is_citation(given: dict[str, Any]) -> bool:
    texts = (given.get("file_id"), given.get("filename"))
    index = given.get("index")
    return (
        given.get("type") == "file_citation"
        and all(isinstance(text, str) for text in texts)
        and isinstance(index, int)
        and not isinstance(index, bool)
    )


def _status(given: Item, allowed: tuple[str, ...]) -> str:
    status = given.get("status")
    return status if status in allowed else "completed"


def _texts(given: Any, *, path: str) -> list[str]:
    found = [] if given is None else given
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise wrong_type(path, expected="an array of strings", got=given)
    return found


def _objects(given: Any, *, path: str) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise wrong_type(path, expected="an array of objects", got=given)
    return given
