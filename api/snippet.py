"""The part of a hit's text that a person should see first. Pure."""

from __future__ import annotations

from retrieval.analysis import query_terms, terms
from retrieval.sentences import sentence_spans

MAX_CHARS = 240


def snippet(text: str, query: str, *, max_chars: int = MAX_CHARS) -> str:
    """One line of `text` from the sentence that shares most words with `query`.

    Ties go to the earlier sentence; a text without any shared word is shown from its start.

    >>> snippet("Clocks tick. Sundials cast a shadow. They need sun.", "shadow of sundials")
    '… Sundials cast a shadow. They need sun.'
    """
    wanted = set(query_terms(query))
    spans = sentence_spans(text)
    shared = [len(wanted.intersection(terms(text[start:end]))) for start, end in spans]
    first = spans[shared.index(max(shared))][0] if spans else 0
    line = " ".join(text[first:].split())
    before = "… " if text[:first].strip() else ""
    return f"{before}{line[:max_chars]}{'…' if len(line) > max_chars else ''}"
