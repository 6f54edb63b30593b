"""A spoken question → the words that matter in it, spelled as the files spell them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieval.snapshot import Reader
from retrieval.spelling import corrected
from retrieval.view import View

# What people put around a question. English only; other text comes through as it is.
_OPENING = re.compile(
    r"^\s*(?:(?:please|hi|hello|hey)[,!]?\s+)?"
    r"(?:(?:can|could|would|will) you (?:please )?(?:tell|show|give|explain to) (?:me|us)(?: about)?"
    r"|(?:i'd|i would) like to (?:know|find out|understand)(?: about)?"
    r"|(?:i|we) (?:want|need) to (?:know|find out|understand)(?: about)?"
    r"|(?:please )?(?:tell|show|give) (?:me|us)(?: about)?"
    r"|do you know)\s+",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"^(?:(?:what|which|who|whose|when|where|why|how)"
    r"(?:'s|\s+(?:is|are|was|were|do|does|did|can|could|should|would|will|has|have|had)\b)?"
    r"|is|are|was|were|do|does|did|can|could|should|would|will)\s+(?:(?:i|you|we|one|there)\s+)?"
    r"(?:the\s+|an?\s+)?",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:the|an?)\s+", re.IGNORECASE)


def rewritten(reader: Reader, view: View, texts: Sequence[str]) -> tuple[str, ...]:
    """What is looked for instead of a query's texts, by a query that asks for rewriting."""
    return tuple(corrected(reader, view, rewrite(text)) for text in texts)


def rewrite(text: str) -> str:
    """Drop a question's polite opening, its question words and its question mark.

    >>> rewrite("I'd like to know the height of the main office building.")
    'height of the main office building'
    """
    core = text.strip().rstrip("?.! ")
    for pattern in (_OPENING, _QUESTION, _ARTICLE):
        core = pattern.sub("", core, count=1)
    return core or text
