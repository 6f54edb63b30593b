"""Which sentences of the sources bear out a sentence of an answer, if any do.

For the place inside the source that a marker names, and for models that write no marker. What
decides is the verifier, so that no citation stands on words that are merely alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from api.answer.evidence import BlocksOf
from retrieval.cite import Unit, cite, units
from retrieval.queries import Citation, Hit
from retrieval.verify import MIN_SUPPORT, Verdict, Verifier

N_TRIED = 3  # sources checked for a claim without a marker, the likeliest by their words


class Aligner:
    """The sources of one answer."""

    def __init__(
        self,
        sources: Sequence[Hit],
        verifier: Verifier,
        blocks_of: BlocksOf,
        *,
        min_support: float = MIN_SUPPORT,
    ) -> None:
        """`min_support`: score from which on a claim counts as supported, 0 to 1."""
        self._verifier = verifier
        self._blocks_of = blocks_of
        self._sources = {hit.id: hit for hit in sources}
        self._min_support = min_support

    def named(self, claim: str, hit_ids: Sequence[str]) -> tuple[Citation, ...]:
        """A citation of each named source, each with its support, however low.

        A claim may draw on several sources at once: what none of them bears out alone counts
        as supported by all of them if they do it together.
        """
        found = tuple(self.within(claim, hit_id) for hit_id in hit_ids)
        if len(found) < 2 or any(each.supported for each in found):  # noqa: PLR2004
            return found
        hits = [self._sources[hit_id] for hit_id in hit_ids]
        together = self._verifier.verify(
            claim,
            "\n\n".join(hit.text for hit in hits),
            context="\n".join(_context(hit) for hit in hits),
        )
        if together.score < self._min_support:
            return found
        return tuple(
            replace(each, score=together.score, supported=True, findings=()) for each in found
        )

    def within(self, claim: str, hit_id: str) -> Citation:
        """The sentences of one source that are nearest to a claim, and how they support it."""
        hit = self._sources[hit_id]
        return self._cited(hit, self._verdict(claim, hit))

    def best(self, claim: str) -> Citation | None:
        """The best support for a claim among all sources, or None if it is too low."""
        if not self._sources or not self._verifier.states(claim):
            return None
        held = {hit_id: self._held(claim, hit) for hit_id, hit in self._sources.items()}
        likely = sorted(held, key=lambda hit_id: -held[hit_id])[:N_TRIED]
        found = [self.within(claim, hit_id) for hit_id in likely]
        best = max(found, key=lambda each: each.score, default=None)
        return best if best is not None and best.supported else None

    def _held(self, claim: str, hit: Hit) -> float:
        return self._verifier.held(claim, hit.text, context=_context(hit))

    def _verdict(self, claim: str, hit: Hit) -> Verdict:
        return self._verifier.verify(claim, hit.text, context=_context(hit))

    def _cited(self, hit: Hit, verdict: Verdict) -> Citation:
        """The whole quotable units that hold the sentences of a verdict."""
        blocks = self._blocks_of(hit)
        start, end = hit.start_char + verdict.start_char, hit.start_char + verdict.end_char
        held = [u for u in units(hit, blocks) if u.start_char < end and u.end_char > start]
        held = held or [Unit(hit.start_char, hit.end_char)]
        citation = cite(
            hit,
            start_char=held[0].start_char,
            end_char=held[-1].end_char,
            score=verdict.score,
            blocks=blocks,
        )
        supported = verdict.score >= self._min_support
        return replace(citation, supported=supported, findings=verdict.findings)


def _context(hit: Hit) -> str:
    """What is known of a passage beside its text: the name of its file, and its headings."""
    return "\n".join([hit.filename.rpartition(".")[0], *hit.heading_path])
