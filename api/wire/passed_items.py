"""Items of earlier responses that clients send back: completed, so that they can be listed again.

What clients drop on the way (a status, an empty list) is put back; what has another type than
the item ever had is refused, because every later list of the items would show it.
"""

from __future__ import annotations

from typing import Any, Final

from api.answer.types import Item
from api.wire.validation import wrong_type

STATUSES: Final = ("in_progress", "completed", "incomplete")
_SEARCH_STATUSES: Final = (*STATUSES, "searching", "failed")


def completed(given: Item, kind: str, *, path: str) -> Item:
    """The fields of an item of this kind that its lists need, where `given` may lack them.

    Raises:
        InvalidRequest: one of them is of another type.
    """
    if kind == "file_search_call":
        results = given.get("results")
        return {
            "status": _status(given, _SEARCH_STATUSES),
            "queries": _texts(given.get("queries"), path=f"{path}.queries"),
            "results": None if results is None else _objects(results, path=f"{path}.results"),
        }
    if kind == "reasoning":
        summary = _objects(given.get("summary") or [], path=f"{path}.summary")
        texts = [part["text"] for part in summary if isinstance(part.get("text"), str)]
        return {"summary": [{"type": "summary_text", "text": text} for text in texts]}
    return {} if kind == "compaction" else {"status": _status(given, STATUSES)}


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
