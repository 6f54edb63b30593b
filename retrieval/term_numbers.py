"""Many texts → the numbers of their terms, end to end: what an index is built from.

A text is split at white space, which no token spans; only pieces that were not met before are
analysed. So most of a text costs one look-up a word, and all that follows works on arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import piece_terms


@dataclass(frozen=True, slots=True, eq=False)
class TermNumbers:
    """Terms of n texts, numbered in code point order, which is also that of UTF-8 bytes."""

    words: list[str]  # by number
    numbers: NDArray[np.int64]  # of all texts end to end, in order and with repeats
    start: NDArray[np.int64]  # (n + 1,) where each text's begin

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]]) -> TermNumbers:
        """Of texts that are given as their terms."""
        pieces = Pieces()
        return pieces.numbered([pieces.of_terms(text) for text in texts])


@dataclass(slots=True, eq=False)
class Pieces:
    """Numbers the pieces of texts in order of arrival; equal pieces of a language have one."""

    _known: dict[str, _Known] = field(default_factory=dict)  # by language; "" for whole terms
    _all: list[tuple[str, str]] = field(default_factory=list)  # piece and language, by number

    def of_text(self, text: str, language: str) -> NDArray[np.int64]:
        """The pieces of a text; texts with equal ones read the same, white space aside."""
        return self._numbers(text.split(), language)

    def of_terms(self, terms: Sequence[str]) -> NDArray[np.int64]:
        """Terms that are analysed already, each as a piece."""
        return self._numbers(terms, "")

    def _numbers(self, pieces: Sequence[str], language: str) -> NDArray[np.int64]:
        known = self._known.get(language)
        if known is None:
            known = self._known[language] = _Known(language, self._all)
        return np.fromiter(map(known.__getitem__, pieces), np.int64, len(pieces))

    def numbered(self, texts: Sequence[NDArray[np.int64]]) -> TermNumbers:
        """The terms of texts, given as the pieces that the methods above returned."""
        found = [
            piece_terms(piece, language) if language else (piece,) for piece, language in self._all
        ]
        number = {word: i for i, word in enumerate(sorted({w for each in found for w in each}))}
        terms = np.fromiter((number[word] for each in found for word in each), np.int64)
        n_terms = np.fromiter(map(len, found), np.int64, len(found))
        first = np.cumsum(n_terms) - n_terms
        pieces = np.concatenate([np.empty(0, np.int64), *texts])
        n_pieces = np.fromiter(map(len, texts), np.int64, len(texts))
        n = n_terms[pieces]
        before = np.concatenate([[0], np.cumsum(n)])
        places = np.arange(before[-1]) + np.repeat(first[pieces] - before[:-1], n)
        start = before[np.concatenate([[0], np.cumsum(n_pieces)])]
        return TermNumbers(list(number), terms[places], start)


class _Known(dict[str, int]):
    """Piece → number; looking up an unknown one numbers it."""

    def __init__(self, language: str, everything: list[tuple[str, str]]) -> None:
        super().__init__()
        self._language = language
        self._everything = everything

    def __missing__(self, piece: str) -> int:
        number = self[piece] = len(self._everything)
        self._everything.append((piece, self._language))
        return number
