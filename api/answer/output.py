"""Output items and annotations, as JSON; complete, places and results included.

What is stored is always complete. ``view.py`` takes out what a request did not ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from api.answer.types import FunctionCall, Item, Usage
from retrieval.queries import Citation, Hit

SCORE_DIGITS = 4  # as the hosted service rounds


def search_item(item_id: str, *, status: str, queries: Sequence[str] = ()) -> Item:
    """A `file_search_call` before it has results."""
    return {
        "id": item_id,
        "type": "file_search_call",
        "status": status,
        "queries": list(queries),
        "results": None,
    }


def result(hit: Hit) -> dict[str, Any]:
    """One entry of a `file_search_call`'s results."""
    return {
        "attributes": dict(hit.attributes),
        "file_id": hit.file_id,
        "filename": hit.filename,
        "score": round(hit.score, SCORE_DIGITS),
        "text": hit.text,
        "vector_store_id": hit.vector_store_id,
        "sourcebook": {
            "id": hit.id,
            **hit.place.as_dict(),
            "start_char": hit.start_char,
            "end_char": hit.end_char,
            "heading_path": list(hit.heading_path),
            **_boxes(hit),
        },
    }


def annotation(citation: Citation, *, index: int) -> dict[str, Any]:
    """A `file_citation` at `index`, code points into the clean text."""
    return {
        "type": "file_citation",
        "file_id": citation.file_id,
        "filename": citation.filename,
        "index": index,
        "sourcebook": {
            "hit_id": citation.hit_id,
            **citation.place.as_dict(),
            "start_char": citation.start_char,
            "end_char": citation.end_char,
            "quote": citation.quote,
            "score": round(citation.score, SCORE_DIGITS),
            "supported": citation.supported,
            "findings": [asdict(finding) for finding in citation.findings],
            **_boxes(citation),
        },
    }


def _boxes(found: Hit | Citation) -> dict[str, Any]:
    return {} if found.boxes is None else {"boxes": [page.as_dict() for page in found.boxes]}


def text_part(text: str, annotations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The one content part of our messages."""
    return {
        "type": "output_text",
        "annotations": list(annotations),
        "logprobs": [],
        "text": text,
    }


def refusal_part(text: str) -> dict[str, Any]:
    """The content part of a message that refuses."""
    return {"type": "refusal", "refusal": text}


def message_item(item_id: str, *, status: str, content: Sequence[dict[str, Any]]) -> Item:
    """An assistant's message."""
    return {
        "id": item_id,
        "type": "message",
        "status": status,
        "content": list(content),
        "role": "assistant",
    }


def call_item(item_id: str, call: FunctionCall, *, status: str, arguments: str) -> Item:
    """A `function_call`."""
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": call.call_id,
        "name": call.name,
        "arguments": arguments,
    }


def usage_object(usage: Usage) -> dict[str, Any]:
    """Token counts as the response shows them."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
