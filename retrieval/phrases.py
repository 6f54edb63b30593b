"""Quoted phrases, as a share of those in a query that a chunk holds.

A phrase is a run of terms, so ``"net interest income"`` also finds ``Net-interest income``. Which
chunks may hold it follows from the postings; whether they do, from their text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import MAX_EXACT_TOKENS, phrases, terms, tokens
from retrieval.candidates import Candidates
from retrieval.features import Floats, matches
from retrieval.view import View

Texts = Callable[[NDArray[np.int64], NDArray[np.int64]], Sequence[str]]

# Candidates looked at where something is quoted, and texts read of those with all its words.
N_CANDIDATES = 400
_MAX_READ = 200


def quoted(text: str) -> list[list[str]]:
    """The quoted phrases of a query, as terms. A single word in quotes is no phrase.

    A long text that quotes somebody asks for what is like it, not for the quotation.
    """
    if len(tokens(text)) > MAX_EXACT_TOKENS:
        return []
    return [phrase for phrase in phrases(text) if len(phrase) > 1]


def shares(view: View, first: Candidates, texts: Texts, wanted: Sequence[Sequence[str]]) -> Floats:
    """Share of the wanted phrases that each candidate holds: (n,)."""
    found = np.zeros(len(first.chunks))
    for phrase in wanted:
        held = matches(view, first.chunks, dict.fromkeys(phrase, 1.0))
        may = np.flatnonzero((held.chunk_counts > 0).all(axis=0))[:_MAX_READ]
        read = texts(first.file_n[may], first.ordinal[may])
        found[may] += [_holds(text, phrase, view.languages) for text in read]
    return found / max(1, len(wanted))


def _holds(text: str, phrase: Sequence[str], languages: Sequence[str]) -> bool:
    """Whether the terms stand in the text one after another, in any of the languages' stems."""
    n = len(phrase)
    for language in languages:
        found = terms(text, language)
        if any(found[i : i + n] == list(phrase) for i in range(len(found) - n + 1)):
            return True
    return False
