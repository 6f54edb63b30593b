"""What the model reads before a window: the words of the file's name and of its headings. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

MAX_PREFIX_TOKENS = 24

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAME_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Prefixes:
    """File name and headings as words, cut to a number of tokens; each made once."""

    filename: str
    token_spans: Callable[[str], NDArray[np.int32]]
    _known: dict[tuple[tuple[str, ...], int], str] = field(default_factory=dict)

    def of(self, headings: tuple[str, ...], *, n_tokens: int) -> str:
        """The prefix under these headings, of at most `n_tokens` and MAX_PREFIX_TOKENS."""
        key = (headings, min(n_tokens, MAX_PREFIX_TOKENS))
        if key not in self._known:
            self._known[key] = self._make(*key)
        return self._known[key]

    def _make(self, headings: tuple[str, ...], n_tokens: int) -> str:
        """Cut from the left: the innermost heading says most about the text."""
        words = [*filename_words(self.filename), *" ".join(headings).split()]
        prefix = " ".join(words)
        spans = self.token_spans(prefix)
        if len(spans) <= n_tokens:
            return prefix
        kept = prefix[int(spans[-n_tokens][0]) - 1 :] if n_tokens > 0 else ""
        kept = kept.partition(" ")[2]  # what is before the first space may be half a word
        # A character of several tokens, as in Hangul, may still bring in more than asked for.
        while len(self.token_spans(kept)) > n_tokens:
            kept = kept.partition(" ")[2]
        return kept


def filename_words(filename: str) -> list[str]:
    """The words of a file name, without its ending.

    >>> filename_words("reports/annualReport_2023-final.pdf")
    ['annual', 'Report', '2023', 'final']
    """
    return _NAME_WORD.findall(_CAMEL.sub(" ", PurePath(filename).stem))
