"""Follows a growing answer: which words are the claim that a citation stands behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from api.answer.types import Cited, Written
from retrieval.cite import text_units

if TYPE_CHECKING:
    from api.answer.align import Aligner

_STOPS = ".!?。！？…"
_MAY_END = re.compile(r"[.!?:;。！？…\n]\s*\S")
_CLOSERS = "\"'”’»)]*_`"


def place_before_stop(text: str) -> int:
    """Where a citation at the end of `text` belongs: before its closing full stop.

    >>> place_before_stop("The capital of France is Paris.")
    30
    >>> place_before_stop("Paris ")
    5
    """
    end = len(text.rstrip())
    stop = len(text[:end].rstrip(_CLOSERS))
    before = len(text[:stop].rstrip(_STOPS))
    return before if 0 < before < stop else end


class Claims:
    """The clean text so far, and the sentences in it that still have no citation.

    Feed texts and markers in order; texts come back, and citations once it is certain where
    they belong. A sentence without a marker is aligned when the next one begins, if
    `align_unmarked`, and as long as the model has written no marker at all: one that marks
    some sentences was asked to mark all that it could support. A marker whose source does not
    bear the claim out is dropped, or kept as unsupported with `flag_unsupported`.
    """

    def __init__(
        self,
        aligner: Aligner,
        *,
        align_unmarked: bool,
        flag_unsupported: bool = False,
        json: bool = False,
    ) -> None:
        """With `json`, markers stand in strings, and what is claimed is within one."""
        self._json = json
        self._aligner = aligner
        self._flag = flag_unsupported
        self._align = align_unmarked
        self._text = ""
        self._n_aligned_chars = 0
        self._n_seen_chars = 0  # in which nothing can end a sentence

    def text(self, piece: str) -> Iterator[Written]:
        """More clean text, and citations of the sentences that it shows to be over."""
        self._text += piece
        yield piece
        if self._align:
            yield from self._aligned(at_end=False)

    def marker(self, hit_ids: tuple[str, ...]) -> Iterator[Written]:
        """A marker that names these hits; without any it is one that nobody understood."""
        if not hit_ids:
            return
        self._align = False
        said = self._text[self._text.rfind('"') + 1 :] if self._json else self._text
        sentences = text_units(said)
        claim = said[slice(*sentences[-1])] if sentences else ""
        found = self._aligner.named(claim, hit_ids)
        citations = tuple(each for each in found if self._flag or each.supported)
        if citations:
            yield Cited(citations, place_before_stop(self._text))

    def finish(self) -> Iterator[Written]:
        """Citations of what is left."""
        if self._align:
            yield from self._aligned(at_end=True)

    def _aligned(self, *, at_end: bool) -> Iterator[Written]:
        start = self._n_aligned_chars
        if not at_end:
            seen, self._n_seen_chars = self._n_seen_chars, len(self._text.rstrip()) - 1
            if not _MAY_END.search(self._text, max(start, seen)):
                return  # most deltas: cutting sentences anew for each would cost most of all
        sentences = text_units(self._text[start:])
        for first, end in sentences if at_end else sentences[:-1]:
            sentence = self._text[start + first : start + end]
            if citation := self._aligner.best(sentence):
                yield Cited((citation,), start + first + place_before_stop(sentence))
            self._n_aligned_chars = start + end
