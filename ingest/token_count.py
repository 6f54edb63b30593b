"""How many tokens the parts of a text have, tokenising each stretch of it once. Pure.

The text may be given stretch by stretch and forgotten again from its beginning, so that a text
of any length is counted in the memory of a few stretches. Places are always those of the whole
text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

TokenSpans = Callable[[str], NDArray[np.int32]]

_WORTH_FORGETTING_CHARS = 1 << 19
_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
# ASCII that no word goes through, see `_stands_alone`.
_ALONE = frozenset(
    char
    for char in map(chr, range(128))
    if not char.isalnum() and (char.isprintable() or char in "\t\n\r")
)


class TokenCount:
    """Token counts of any part of a text, of which a window is held."""

    def __init__(self, token_spans: TokenSpans) -> None:
        self._token_spans = token_spans
        self._text = ""
        self._base = 0  # where the text that is held begins in the whole text
        self._starts = np.empty(0, dtype=np.int64)  # of tokens, ascending, in the whole text
        self._n_before = 0  # tokens that were forgotten

    @classmethod
    def of(cls, text: str, token_spans: TokenSpans) -> TokenCount:
        """Tokenise a whole text."""
        count = cls(token_spans)
        count.extend(text)
        return count

    def extend(self, text: str) -> None:
        """Take the next stretch of the text; it begins where no word goes through."""
        starts = self._token_spans(text)[:, 0].astype(np.int64) + self._base + len(self._text)
        self._starts = np.concatenate([self._starts, starts]) if len(self._starts) else starts
        self._text = self._text + text if self._text else text

    def forget(self, place: int) -> None:
        """Let go of the text before `place`, if it is much, but for one character."""
        base = place - 1
        if base - self._base < _WORTH_FORGETTING_CHARS:
            return
        n_gone = int(self._starts.searchsorted(base))
        self._starts = self._starts[n_gone:].copy()
        self._n_before += n_gone
        self._text = self._text[base - self._base :]
        self._base = base

    def slice(self, start: int, end: int) -> str:
        """text[start:end] of what is held."""
        return self._text[start - self._base : end - self._base]

    def between(self, start: int, end: int) -> int:
        """Tokens that text[start:end] has by itself.

        Where both ends are borders of words these are the whole text's tokens inside; a part
        of a word has tokens of its own and is tokenised again.
        """
        if self.is_border(start) and self.is_border(end):
            return self.roughly(start, end)
        return self.by_itself(start, end)

    def by_itself(self, start: int, end: int) -> int:
        """The same, tokenised again."""
        return len(self._token_spans(self.slice(start, end)))

    def roughly(self, start: int, end: int) -> int:
        """The whole text's tokens that start in text[start:end]; quick however long it is."""
        return self.index(end) - self.index(start)

    def index(self, place: int) -> int:
        """How many tokens of the whole text start before this place."""
        return self._n_before + int(self._starts.searchsorted(place))

    def indexes(self, places: Sequence[int]) -> list[int]:
        """`index` of each of many places."""
        found = self._starts.searchsorted(np.array(places, dtype=np.int64)) + self._n_before
        return [int(index) for index in found.tolist()]

    def borders(self, places: Sequence[int]) -> list[bool]:
        """`is_border` of each of many places."""
        text, base = self._text, self._base
        return [
            (
                base < place < base + len(text)
                and not _ALONE.isdisjoint(text[place - base - 1 : place - base + 1])
            )
            or self.is_border(place)
            for place in places
        ]

    def cut(self, start: int, end: int, *, n_tokens: int) -> int:
        """Where to end a part of text[start:end] that has at most `n_tokens`, itself >= 1.

        After white space if there is some in the part's second half, else after any token, but
        within no character: none is parted from the marks that combine with it. Always leaves
        something on both sides, provided that more than one character is given.
        """
        first = int(self._starts.searchsorted(start))
        limit = n_tokens
        while limit > 0:
            stop = self._whole(start, self._border(first + limit // 2, first + limit))
            if start < stop < end and self.between(start, stop) <= n_tokens:
                return stop
            limit -= 1
        return start + 1

    def skip_space(self, start: int, end: int) -> int:
        """The next place in text[start:end] that is not white space, or `end`."""
        while start < end and self._text[start - self._base].isspace():
            start += 1
        return start

    def is_border(self, place: int) -> bool:
        """Whether no word of the model's tokenizer goes through this place."""
        at = place - self._base
        if at <= 0 or at >= len(self._text):
            return True
        return _stands_alone(self._text[at - 1]) or _stands_alone(self._text[at])

    def _whole(self, start: int, stop: int) -> int:
        """`stop`, moved to the left out of a character made of several, if that one has begun."""
        place = stop
        while start < place < self._base + len(self._text) and self._joins(place):
            place -= 1
        return place if place > start else stop

    def _joins(self, place: int) -> bool:
        """Whether what stands before and after this place is one character to a reader."""
        around = self.slice(place - 1, place + 1)
        before, after = around[0], around[1]
        if before.isascii() and after.isascii():
            return False
        return (
            _JOINER in around or unicodedata.category(after)[0] == "M" or ord(after) in _SKIN_TONES
        )

    def _border(self, earliest: int, latest: int) -> int:
        """The start of token `latest`, or of the last one after white space since `earliest`."""
        latest = min(latest, len(self._starts) - 1)
        for token in range(latest, earliest, -1):
            start = int(self._starts[token])
            if self._text[start - 1 - self._base].isspace():
                return start
        return int(self._starts[latest])


def _stands_alone(char: str) -> bool:
    """Whether no word of the model's tokenizer goes through this character.

    BERT's: white space, punctuation and ideographs. Control characters are not, not even those
    that Python takes for white space: the tokenizer drops them and joins what is around.
    """
    if char.isascii():
        return char in _ALONE
    return unicodedata.category(char)[0] in "PZ" or "\u3400" <= char <= "\u9fff"
