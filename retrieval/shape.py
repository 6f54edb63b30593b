"""Scored chunks → hits as they are shown: no text of a file twice, neighbours, a token budget.

Chunks may overlap, so two good ones of a file often hold the same sentences. The better one is
shown whole, the other with what it has besides; one that has nothing of its own is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from retrieval.queries import Hit

Span = tuple[int, int]

# A remainder shorter than this, and than a quarter of its chunk, tells nothing by itself.
_MIN_REST_CHARS = 200
_MIN_REST_SHARE = 0.25


@dataclass(slots=True)
class Shown:
    """Which characters of which files are in hits already."""

    _spans: dict[int, list[Span]] = field(default_factory=dict)  # by file_n

    def take(self, file_n: int, span: Span) -> Span | None:
        """What of `span` to show, which counts as shown from now on; None if too little is new.

        Where better hits cover the middle, the longer of the two ends is kept.
        """
        rest = max(self._new(file_n, span), key=lambda piece: piece[1] - piece[0], default=(0, 0))
        n, n_all = rest[1] - rest[0], span[1] - span[0]
        if n <= 0 or (n < _MIN_REST_CHARS and n < _MIN_REST_SHARE * n_all):
            return None
        self._spans.setdefault(file_n, []).append(rest)
        return rest

    def widest(self, file_n: int, span: Span, around: Span) -> Span:
        """`span` widened as far as `around` goes without touching what other hits show."""
        before = [end for _, end in self._spans[file_n] if end <= span[0]]
        after = [start for start, _ in self._spans[file_n] if start >= span[1]]
        wide = (max([around[0], *before]), min([around[1], *after]))
        wide = (min(wide[0], span[0]), max(wide[1], span[1]))
        self._spans[file_n][self._spans[file_n].index(span)] = wide
        return wide

    def _new(self, file_n: int, span: Span) -> Iterator[Span]:
        start, end = span
        for a, b in sorted(self._spans.get(file_n, ())):
            if b <= start or a >= end:
                continue
            if a > start:
                yield start, a
            start = max(start, b)
        if start < end:
            yield start, end


def trimmed(text: str, span: Span) -> tuple[str, Span]:
    """A text and its span in the file, less white space at its ends.

    >>> trimmed(" a b ", (10, 15))
    ('a b', (11, 14))
    """
    start = span[0] + len(text) - len(text.lstrip())
    bare = text.strip()
    return bare, (start, start + len(bare))


def within_budget(hits: Iterable[Hit], n_tokens: Sequence[int], max_tokens: int) -> list[Hit]:
    """The first hits whose tokens fit the budget together; the first always comes, if cut.

    Args:
        hits: best first.
        n_tokens: of each hit's text.
        max_tokens: of all texts together.
    """
    kept: list[Hit] = []
    left = max_tokens
    for hit, n in zip(hits, n_tokens, strict=True):
        if n > left:
            if not kept:
                kept.append(_cut(hit, share=left / n))
            break
        kept.append(hit)
        left -= n
    return kept


def _cut(hit: Hit, *, share: float) -> Hit:
    """The beginning of a hit, cut between words."""
    n_chars = int(len(hit.text) * share)
    text = hit.text[:n_chars].rpartition(" ")[0] or hit.text[:n_chars]
    text = text.rstrip() or hit.text[:1]
    return replace(hit, text=text, end_char=hit.start_char + len(text))
