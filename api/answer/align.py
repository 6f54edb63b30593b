"""Which sentences of the sources support a sentence of an answer, if any do.

For models that write no marker, and for the place inside the source that a marker names. A
claim is compared with every unit by its words, and with the likeliest by meaning too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from api.answer.evidence import BlocksOf, Candidate, candidates_of, embedded
from retrieval.analysis import query_terms
from retrieval.cite import cite, quote_around
from retrieval.types import Citation, Hit, Vectors

if TYPE_CHECKING:
    from retrieval.embedder import Embedder

N_COMPARED = 8  # units compared by meaning for one claim; each costs some milliseconds
# Below, a claim without a marker stays without a citation. Of 60 sentences with a third of their
# words dropped 97 % reach it among sources that hold them, none among sources that do not.
MIN_SUPPORT = 0.55
MIN_CLAIM_TERMS = 3  # "Yes." and "Here is what I found:" state nothing that could be cited


class Aligner:
    """The sources of one answer, cut into units once; vectors are made as claims need them."""

    def __init__(self, sources: Sequence[Hit], embedder: Embedder, blocks_of: BlocksOf) -> None:
        self._embedder = embedder
        self._blocks_of = blocks_of
        self._sources = {hit.id: hit for hit in sources}
        self._of_hit: dict[str, list[Candidate]] = {}
        self._vectors: dict[str, np.ndarray] = {}

    def within(self, claim: str, hit_id: str) -> Citation:
        """The best-supporting sentences of one source, however little they support."""
        found = self._best(claim, self._candidates(hit_id))
        if found is None:
            hit = self._sources[hit_id]
            return cite(hit, start_char=hit.start_char, end_char=hit.end_char, score=0.0)
        return found

    def best(self, claim: str) -> Citation | None:
        """The best-supporting sentences of all sources, or None if their support is too low."""
        if len(set(query_terms(claim))) < MIN_CLAIM_TERMS:
            return None
        everywhere = [each for hit_id in self._sources for each in self._candidates(hit_id)]
        found = self._best(claim, everywhere)
        return found if found is not None and found.score >= MIN_SUPPORT else None

    def _candidates(self, hit_id: str) -> list[Candidate]:
        if hit_id not in self._of_hit:
            hit = self._sources[hit_id]
            self._of_hit[hit_id] = candidates_of(hit, 0, self._blocks_of(hit))
        return self._of_hit[hit_id]

    def _best(self, claim: str, candidates: Sequence[Candidate]) -> Citation | None:
        if not candidates:
            return None
        wanted = frozenset(query_terms(claim))
        shared = np.array([_shared(wanted, candidates, i) for i in range(len(candidates))])
        likely = np.argsort(-shared, kind="stable")[:N_COMPARED]
        cosines = self._vectors_of([candidates[i].text for i in likely]) @ (
            self._embedder.embed_query(claim)
        )
        support = _agreement(wanted, candidates, likely) * (0.5 * cosines + 0.5 * shared[likely])
        best = int(np.argmax(support))
        return self._cited(candidates, int(likely[best]), score=float(support[best]), by=shared)

    def _cited(
        self, candidates: Sequence[Candidate], index: int, *, score: float, by: np.ndarray
    ) -> Citation:
        """The unit with its neighbours of the same hit, as far as a quote may reach."""
        hit = candidates[index].hit
        same = [i for i, each in enumerate(candidates) if each.hit is hit]
        run = [candidates[i].unit for i in same]
        first, last = quote_around(run, same.index(index), [float(by[i]) for i in same])
        return cite(
            hit,
            start_char=run[first].start_char,
            end_char=run[last].end_char,
            score=min(1.0, max(0.0, score)),
            blocks=self._blocks_of(hit),
        )

    def _vectors_of(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        self._vectors.update(zip(new, embedded(new, self._embedder), strict=True))
        return np.stack([self._vectors[text] for text in texts])


def _shared(wanted: frozenset[str], candidates: Sequence[Candidate], index: int) -> float:
    """Share of the claim's terms in a unit, half of it counting with its neighbours in."""
    here = candidates[index]
    around = [c.terms for c in candidates[max(0, index - 1) : index + 2] if c.hit is here.hit]
    alone = len(wanted & here.terms)
    return (alone + len(wanted & frozenset().union(*around))) / (2 * max(1, len(wanted)))


def _agreement(
    wanted: frozenset[str], candidates: Sequence[Candidate], likely: np.ndarray
) -> np.ndarray:
    """(n_likely,) 1, or less where the claim has numbers that unit and neighbours lack.

    A source with another number contradicts a claim, however alike the words are.
    """
    numbers = {term for term in wanted if any(c.isdigit() for c in term)}
    if not numbers:
        return np.ones(len(likely))
    shares = []
    for index in likely:
        near = candidates[max(0, index - 1) : index + 2]
        held = frozenset().union(*(c.terms for c in near if c.hit is candidates[index].hit))
        shares.append(len(numbers & held) / len(numbers))
    return 0.5 + 0.5 * np.array(shares)
