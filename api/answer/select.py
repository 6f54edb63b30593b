"""From evidence to quotes: which runs of sentences answer, and whether any does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from api.answer.evidence import WEIGHTS, BlocksOf, Evidence, gather, signs
from api.answer.support import MIN_SUPPORT, support, support_signs
from retrieval.cite import MAX_QUOTE_CHARS, MAX_QUOTE_UNITS, cite
from retrieval.queries import Citation, Hit

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

MAX_QUOTES = 3
# A further quote must be this likely beside the first one; less is padding.
MIN_SHARE = 0.3


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
    runs = best_runs(evidence, odds)
    chance = support(
        support_signs(
            question, evidence, seen, odds, quote=_text(evidence, runs[0]), embedder=embedder
        )
    )
    if chance < MIN_SUPPORT:
        return ()
    return tuple(
        _citation(evidence, run, chance * run.share / runs[0].share, blocks_of) for run in runs
    )


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


def _text(evidence: Evidence, run: Run) -> str:
    return "\n".join(each.text for each in evidence.candidates[run.first : run.last + 1])


def _citation(evidence: Evidence, run: Run, score: float, blocks_of: BlocksOf) -> Citation:
    first, last = evidence.candidates[run.first], evidence.candidates[run.last]
    return cite(
        first.hit,
        start_char=first.unit.start_char,
        end_char=last.unit.end_char,
        score=score,
        blocks=blocks_of(first.hit),
    )
