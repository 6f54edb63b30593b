"""The built-in ranker: a weighted sum of what is known of the best candidates of a query.

It looks at the first ranking's best hundred and reads nothing but arrays, so it costs about as
much as a page of hits. Its weights were fitted offline by `benchmarks/fit_ranking.py` on public
judged sets (decision 0018); a word's share of the whole never depends on other candidates, so
scores of different queries compare.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from retrieval import dense, keyword, pairs, rows
from retrieval.analysis import (
    MAX_EXACT_TOKENS,
    STOP_WORDS,
    identifiers,
    query_terms,
    terms,
    tokens,
)
from retrieval.candidates import Candidates
from retrieval.features import Floats, bm25, matches
from retrieval.keyword import Keywords
from retrieval.view import View

N_RANKED = 100
# Feedback: terms of the first few hits, see decision 0018.
N_FEEDBACK = 5
_FEEDBACK_CHARS = 4000  # of each, to read terms from
_N_NEW_TERMS = 20
_MIN_TERM_CHARS = 3
_RARE_SHARE = 0.5  # of the idf of what a single chunk holds; below, a code tells little
_LEAST = 0.01  # a ranking score may be 0 or below


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known of n candidates, each array (n,) and within about 0 to 1."""

    dense: Floats  # cosine of the chunk, windows combined
    keyword: Floats  # BM25 on its scale, B / (B + scale)
    expansion: Floats  # BM25 of terms that the first hits share, on a scale
    pairs: Floats  # share of the query's neighbouring terms that are neighbours there
    agreement: Floats  # cosine of the window with most of the query's terms
    heading: Floats  # share of the terms, by idf, in the file's name and headings
    identifiers: Floats  # share of the query's codes that the chunk holds whole
    phrase: Floats  # share of the query's quoted phrases that the chunk holds

    def matrix(self) -> Floats:
        """(n, n_features), in the order of the fields."""
        return np.stack([getattr(self, name) for name in FEATURES], axis=1)


FEATURES = tuple(field.name for field in fields(Evidence))
# The first five are fitted; the others, of which the sets have no examples, are set: a code or a
# quoted phrase outweighs everything else, a heading tips the scales.
WEIGHTS: Mapping[str, float] = {
    "dense": 0.60,
    "keyword": 0.50,
    "expansion": 0.20,
    "pairs": 0.06,
    "agreement": 0.06,
    "heading": 0.02,
    "identifiers": 0.30,
    "phrase": 0.50,
}


def rank(evidence: Evidence, weights: Mapping[str, float] = WEIGHTS) -> Floats:
    """The ranking score of each candidate: (n,), higher is better."""
    total: Floats = evidence.matrix() @ np.array([weights[name] for name in FEATURES])
    return total


def gather(
    view: View,
    first: Candidates,
    *,
    question: str,
    words: Keywords,
    vector: NDArray[np.float32],
    leading: Sequence[str],
    phrase: Floats,
) -> Evidence:
    """What is known of the candidates.

    Args:
        view: that they are of.
        first: the candidates, best first, with `fused` from the first ranking.
        question: a text of the query.
        words: what its words found.
        vector: of the question, unit.
        leading: texts of the first `N_FEEDBACK` candidates.
        phrase: (n,) share of the quoted phrases that each holds.
    """
    found = matches(view, first.chunks, words.idf)
    sims = dense.Sims.of(view, first.chunks, vector)
    return Evidence(
        dense=first.dense,
        keyword=first.keyword / (first.keyword + words.scale),
        expansion=_expanded(view, first, words=words, leading=leading),
        pairs=_pairs(view, first.chunks, question),
        agreement=sims.at(found.best_window),
        heading=found.in_head,
        identifiers=_identifiers(view, first.chunks, question, words),
        phrase=phrase,
    )


def _expanded(view: View, first: Candidates, *, words: Keywords, leading: Sequence[str]) -> Floats:
    """BM25 by terms that the leading texts share and the query lacks.

    Source: Lavrenko and Croft, Relevance-Based Language Models, 2001, with BM25 weights.
    """
    weights = _shared_terms(view, first.fused, words.idf, leading)
    if not weights:
        return np.zeros(len(first.chunks))
    found = matches(view, first.chunks, {term: idf for term, (_, idf) in weights.items()})
    worth = np.array([weights[term][0] for term in found.terms])
    idf = np.array([weights[term][1] for term in found.terms])
    mean: Floats = bm25(view, first.chunks, found, worth * idf) / worth.sum()
    return mean / (mean + 1.0)


def _shared_terms(
    view: View, fused: Floats, known: Mapping[str, float], leading: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """New terms, each with its weight in the leading texts times its idf, and its idf."""
    weights: defaultdict[str, float] = defaultdict(float)
    for text, score in zip(leading, fused, strict=False):
        worth = max(float(score), _LEAST)
        for term, weight in _weights(text[:_FEEDBACK_CHARS]):
            weights[term] += worth * weight
    idf = keyword.idfs(view, (term for term in weights if term not in known))
    worth_of = np.array([weights[term] * value for term, value in idf.items()])
    least = 0.0  # below it none is among the best; most terms need not be put in order
    if len(worth_of) > _N_NEW_TERMS:
        least = float(np.partition(worth_of, -_N_NEW_TERMS)[-_N_NEW_TERMS])
    among = [term for term, value in zip(idf, worth_of.tolist(), strict=True) if value >= least]
    best = sorted(among, key=lambda term: (-weights[term] * idf[term], term))[:_N_NEW_TERMS]
    return {term: (weights[term] * idf[term], idf[term]) for term in best if idf[term] > 0}


@lru_cache(maxsize=1024)  # some chunks lead for many queries
def _weights(text: str) -> tuple[tuple[str, float], ...]:
    """Each term that may be a new one, with how much its count weighs."""
    return tuple(
        (term, n / (n + keyword.K1))
        for term, n in Counter(terms(text)).items()
        if term not in STOP_WORDS and len(term) >= _MIN_TERM_CHARS
    )


def _pairs(view: View, chunks: NDArray[np.int64], question: str) -> Floats:
    """Share of the question's neighbouring terms that are neighbours in the chunk."""
    numbers = pairs.pair_numbers(query_terms(question, view.languages[:1]))
    found = np.zeros(len(chunks))
    if not len(numbers):
        return found
    for segment, positions, local in view.by_segment(chunks):
        windows, starts = segment.windows_in(local)
        there = pairs.held(rows.taken(segment.pairs, windows, kept=view.keeps_rows), numbers)
        found[positions] = np.maximum.reduceat(there, starts, axis=0).mean(axis=1)
    return found


def _identifiers(view: View, chunks: NDArray[np.int64], question: str, words: Keywords) -> Floats:
    """Share of the question's codes, those that few chunks hold, that stand whole in the chunk."""
    rare = _RARE_SHARE * math.log1p(view.n_chunks)
    codes = {code: 1.0 for code in identifiers(question) if words.idf.get(code, 0.0) >= rare > 0}
    if not codes or len(tokens(question)) > MAX_EXACT_TOKENS:
        return np.zeros(len(chunks))
    return matches(view, chunks, codes).coverage
