"""From evidence to quotes: which runs of sentences answer, and whether any does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from api.answer.evidence import WEIGHTS, BlocksOf, Evidence, gather, signs
from retrieval.cite import MAX_QUOTE_CHARS, MAX_QUOTE_UNITS, cite
from retrieval.queries import Citation, Hit
from retrieval.verify.names import knows, names
from retrieval.verify.source import Reading

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

MAX_QUOTES = 3
# A further quote must be this likely beside the first one; less is padding.
MIN_SHARE = 0.3

# Support, from 0 to 1: a logistic of the quote's cosine, of the question's words that the unit and
# its headings have, and of its names that no hit has. Not of the hits' scores: what they are
# depends on the size of the vector store. Fitted on questions with and without an answer.
_SUPPORT = {"cosine": 6.2, "words_heading": 1.7}
_UNKNOWN_NAME = -2.1  # for each name of the question that no hit has
_SUPPORT_SHIFT = -3.1
# Below it the files "do not tell". Lower and near misses get quoted, higher and answers that
# share few words with their question get lost.
MIN_SUPPORT = 0.5

_SIGNS = list(WEIGHTS)


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive candidates of one hit that would make one quote."""

    first: int
    last: int  # in the quote too
    share: float  # probability, among everything at hand, that the answer stands here


def select(
    question: str, hits: Sequence[Hit], *, embedder: Embedder, blocks_of: BlocksOf
) -> tuple[Citation, ...]:
    """The quotes that answer a question, best first; none if the hits do not tell.

    Args:
        question: as the user put it.
        hits: best first.
        embedder: whose vectors tell what is alike.
        blocks_of: the structure of a hit's document.
    """
    evidence = gather(question, hits, embedder=embedder, blocks_of=blocks_of)
    if not evidence.candidates:
        return ()
    seen = signs(question, evidence, embedder=embedder)
    odds = seen @ np.array(list(WEIGHTS.values()))
    unknown = _n_unknown_names(question, hits)
    support = _support(seen, int(np.argmax(odds)), n_unknown_names=unknown)
    if support < MIN_SUPPORT:
        return ()
    runs = best_runs(evidence, odds)
    return tuple(
        _citation(evidence, run, support * run.share / runs[0].share, blocks_of) for run in runs
    )


def _n_unknown_names(question: str, hits: Sequence[Hit]) -> int:
    """How many names of the question stand in no hit, its headings or its file's name."""
    wanted = [name.folded for name in names(question) if not name.starts_sentence]
    if not wanted:
        return 0
    told = Reading("\n".join(" ".join([h.text, *h.heading_path, h.filename]) for h in hits))
    known = told.folded_words | {name.folded for name in told.names}
    return sum(not knows(name, known) for name in wanted)


def _support(seen: NDArray[np.float64], best: int, *, n_unknown_names: int) -> float:
    values = {
        "cosine": seen[best, _SIGNS.index("cosine")],
        "words_heading": seen[best, _SIGNS.index("words_heading")],
    }
    total = _UNKNOWN_NAME * n_unknown_names
    total += sum(_SUPPORT[name] * float(value) for name, value in values.items())
    return 1.0 / (1.0 + math.exp(-(total + _SUPPORT_SHIFT)))


def best_runs(evidence: Evidence, odds: NDArray[np.float64]) -> list[Run]:
    """The runs to quote, best first, none touching another.

    Not the best unit with its neighbours, but the run that holds most of the probability: two
    good units side by side beat a slightly better one alone.
    """
    chances = np.exp(odds - odds.max())
    upto = np.concatenate([[0.0], np.cumsum(chances / chances.sum())])
    runs = [Run(i, j, float(upto[j + 1] - upto[i])) for i, j in _spans(evidence)]
    chosen: list[Run] = []
    for run in sorted(runs, key=lambda each: -each.share):
        if chosen and run.share < MIN_SHARE * chosen[0].share:
            break
        if all(run.last < other.first or run.first > other.last for other in chosen):
            chosen.append(run)
        if len(chosen) == MAX_QUOTES:
            break
    return chosen


def _spans(evidence: Evidence) -> Iterator[tuple[int, int]]:
    """First and last index of every run that fits into a quote."""
    candidates = evidence.candidates
    for first, start in enumerate(candidates):
        for last in range(first, min(first + MAX_QUOTE_UNITS, len(candidates))):
            end = candidates[last]
            n_chars = end.unit.end_char - start.unit.start_char
            if end.hit is not start.hit or (last > first and n_chars > MAX_QUOTE_CHARS):
                break
            yield first, last


def _citation(evidence: Evidence, run: Run, score: float, blocks_of: BlocksOf) -> Citation:
    first, last = evidence.candidates[run.first], evidence.candidates[run.last]
    return cite(
        first.hit,
        start_char=first.unit.start_char,
        end_char=last.unit.end_char,
        score=score,
        blocks=blocks_of(first.hit),
    )
