"""How many tokens the parts of a text have, tokenising it once. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TokenSpans = Callable[[str], NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Token counts of any part of `text`; make it with `TokenCount.of`."""

    text: str
    token_spans: TokenSpans
    _starts: NDArray[np.int32]  # (n_tokens,) ascending

    @classmethod
    def of(cls, text: str, token_spans: TokenSpans) -> TokenCount:
        """Tokenise the whole text; the only long step there is."""
        return cls(text, token_spans, np.ascontiguousarray(token_spans(text)[:, 0]))

    def between(self, start: int, end: int) -> int:
        """Tokens that text[start:end] has by itself.

        Where both ends are borders of words these are the whole text's tokens inside; a part
        of a word has tokens of its own and is tokenised again.
        """
        if self._is_word_border(start) and self._is_word_border(end):
            return self.roughly(start, end)
        return len(self.token_spans(self.text[start:end]))

    def roughly(self, start: int, end: int) -> int:
        """The whole text's tokens that start in text[start:end]; quick however long it is."""
        return self._index(end) - self._index(start)

    def cut(self, start: int, end: int, *, n_tokens: int) -> int:
        """Where to end a part of text[start:end] that has at most `n_tokens`, itself >= 1.

        After white space if there is some in the part's second half, else after any token. Always
        leaves something on both sides, provided that more than one character is given.
        """
        first = self._index(start)
        limit = n_tokens
        while limit > 0:
            stop = self._border(first + limit // 2, first + limit)
            if start < stop < end and self.between(start, stop) <= n_tokens:
                return stop
            limit -= 1
        return start + 1

    def skip_space(self, start: int, end: int) -> int:
        """The next place in text[start:end] that is not white space, or `end`."""
        while start < end and self.text[start].isspace():
            start += 1
        return start

    def _index(self, place: int) -> int:
        """How many tokens start before this place."""
        return int(self._starts.searchsorted(np.int32(place)))

    def _border(self, earliest: int, latest: int) -> int:
        """The start of token `latest`, or of the last one after white space since `earliest`."""
        latest = min(latest, len(self._starts) - 1)
        for token in range(latest, earliest, -1):
            start = int(self._starts[token])
            if self.text[start - 1].isspace():
                return start
        return int(self._starts[latest])

    def _is_word_border(self, place: int) -> bool:
        if place <= 0 or place >= len(self.text):
            return True
        return _stands_alone(self.text[place - 1]) or _stands_alone(self.text[place])


def _stands_alone(char: str) -> bool:
    """Whether no word of the model's tokenizer goes through this character.

    BERT's: white space, punctuation and ideographs. Control characters are not, not even those
    that Python takes for white space: the tokenizer drops them and joins what is around.
    """
    if char.isascii():
        return not char.isalnum() and (char.isprintable() or char in "\t\n\r")
    return unicodedata.category(char)[0] in "PZ" or "\u3400" <= char <= "\u9fff"
