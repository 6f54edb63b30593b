"""Words that no file holds → the nearest words that one does.

Only words unknown to the vector store are touched, so a name or a code that is there is never
"corrected". The index knows stems; the word to write instead is read from a text that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.analysis import STOP_WORDS, stem, tokens
from retrieval.postings import Postings
from retrieval.ranking import text_of
from retrieval.snapshot import Reader
from retrieval.view import View

_MIN_CHARS = 4  # shorter words are near too many others
_TWO_EDITS_FROM = 7  # characters; below, one edit is all that is forgiven
_MAX_ENDING = 4  # characters of a word that its stem may lack
_ENDING_COST = 0.2  # of an edit, for each character that must be such an ending
_N_TRIED = 400
_N_STEMS, _N_TEXTS = 3, 24  # looked at to find the word to write
_WORD = re.compile(r"[^\W\d_]+")


def corrected(reader: Reader, view: View, text: str) -> str:
    """The text with each unknown word replaced by the nearest known one, if one is near."""

    def nearest(match: re.Match[str]) -> str:
        word = match.group()
        if len(word) < _MIN_CHARS or word.casefold() in STOP_WORDS or _is_known(view, word):
            return word
        stems = _nearest_stems(view, word.casefold())
        return _nearest_word(reader, view, stems, like=word.casefold()) or word

    return _WORD.sub(nearest, text)


def _is_known(view: View, word: str) -> bool:
    forms = {stem(word.casefold(), language) for language in view.languages} | {word.casefold()}
    return any(
        live.segment.postings.find(form) is not None for live in view.segments for form in forms
    )


def _nearest_stems(view: View, word: str) -> list[str]:
    """The few stems in the vocabulary that the word is most likely a slip of the pen of."""
    allowed = _n_edits(word)
    costs: dict[str, tuple[float, bool, int, str]] = {}
    for live in view.segments:
        for number in _alike(live.segment.postings, word, allowed):
            term = live.segment.postings.term(number)
            cost = _cost(word, term, allowed) if term.isalpha() else None
            if cost is not None:
                held_by = int(live.segment.term_n_chunks.at(np.array([number]))[0])
                costs[term] = (cost, term[0] != word[0], -held_by, term)
    return sorted(costs, key=costs.__getitem__)[:_N_STEMS]


def _n_edits(word: str) -> int:
    """How many edits are forgiven."""
    return 2 if len(word) >= _TWO_EDITS_FROM else 1


def _alike(postings: Postings, word: str, allowed: int) -> Iterator[int]:
    """Numbers of terms of about the word's length and letters, the most alike first.

    An edit changes at most two of the letters that occur at all.
    """
    if not postings.n_terms:
        return
    lengths = np.diff(postings.term_start)
    letters = _letters(postings.term_bytes, postings.term_start[:-1])
    mine = int(_letters(np.frombuffer(word.encode(), np.uint8), np.zeros(1, np.int64))[0])
    n = len(word.encode())
    fits = (lengths <= n + allowed) & (lengths >= n - allowed - _MAX_ENDING) & (lengths > 2)  # noqa: PLR2004
    foreign = np.bitwise_count(letters & ~np.uint32(mine))
    lacking = np.bitwise_count(np.uint32(mine) & ~letters)
    near = np.flatnonzero(fits & (foreign <= allowed) & (lacking <= allowed + _MAX_ENDING))
    order = np.argsort(foreign[near].astype(np.int64) * 8 + lacking[near], kind="stable")
    yield from near[order[:_N_TRIED]].tolist()


def _letters(raw: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Which letters each term has, one bit for each of 32 kinds of bytes."""
    bits = np.left_shift(np.uint32(1), (raw & 31).astype(np.uint32))
    found: NDArray[np.uint32] = np.bitwise_or.reduceat(bits, starts)
    return found


def _cost(word: str, term: str, allowed: int) -> float | None:
    """Edits from the word to the stem, endings of the word left off; None above `allowed`."""
    row = _distances(word, term)
    costs = [
        row[n] + _ENDING_COST * (len(word) - n)
        for n in range(max(0, len(word) - _MAX_ENDING), len(word) + 1)
        if 0 < row[n] <= allowed
    ]
    return min(costs, default=None)


def _distances(word: str, term: str) -> list[int]:
    """Edits from each beginning of `word` (by its length) to `term`.

    An edit drops, adds or changes a character or swaps two neighbours (Damerau).
    """
    before: list[int] = []
    last: list[int] = []
    row = list(range(len(word) + 1))  # from every beginning to the empty term
    for i, b in enumerate(term, 1):
        before, last, row = last, row, [i]
        for j, a in enumerate(word, 1):
            best = min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == term[i - 2] and word[j - 2] == b:
                best = min(best, before[j - 2] + 1)
            row.append(best)
    return row


def _nearest_word(reader: Reader, view: View, stems: Sequence[str], *, like: str) -> str | None:
    """The word of some texts with one of these stems that is nearest; None if none is near."""
    words = {word for found in stems for word in _words_with(reader, view, found)}
    near = min(((_distances(like, w)[-1], w) for w in words), default=None)
    return near[1] if near is not None and near[0] <= _n_edits(like) else None


def _words_with(reader: Reader, view: View, found: str) -> Iterator[str]:
    """The words with that stem, as a few texts that hold it spell them."""
    for live, base in zip(view.segments, view.chunk_base, strict=False):
        number = live.segment.postings.find(found)
        if number is None:
            continue
        sites = live.segment.postings.of(number)[0][:_N_TEXTS]
        chunks = np.unique(base + live.segment.chunks_at(sites)[0])
        files, ordinals, _ = view.files_and_ordinals(chunks)
        for file_n, ordinal in zip(files.tolist(), ordinals.tolist(), strict=True):
            words = {token.casefold() for token in tokens(text_of(reader, file_n, ordinal))}
            yield from (
                word
                for word in words
                if word.isalpha() and found in {stem(word, known) for known in view.languages}
            )
