"""A source cut into sentences, with what the checks look at; each part is read once, when needed."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from retrieval.analysis import STOP_WORDS, terms
from retrieval.cite import text_units
from retrieval.verify import edits
from retrieval.verify.dates import DATE_WORDS, Date, dates
from retrieval.verify.names import Name, acronyms, is_sure, names
from retrieval.verify.quantities import NUMBER_WORDS, Quantity, quantities

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")
# Words that carry no content of their own beside the stop words.
_EMPTY = STOP_WORDS | frozenset(
    str.split("""
    may might must shall should being been were also very just only own same so too then than each
    every any some other more most much many few such still yet even ever both all one its it's
    itself himself herself themselves them him her his she he us our do does done doing having had
    get gets got because since while although though until before after during between among within
    without upon onto over under about above below again further once here there out up down off
    away back still already however therefore thus hence not n't no nor never cannot
    """)
)


@dataclass(frozen=True)
class Reading:
    """A stretch of text with all that is read from it."""

    text: str
    start: int = 0  # in its source

    @cached_property
    def lower_words(self) -> frozenset[str]:
        """All words that stand in lower case."""
        return frozenset(m[0] for m in _WORD.finditer(self.text) if m[0].islower())

    @cached_property
    def folded_words(self) -> frozenset[str]:
        """All words, folded."""
        return frozenset(m[0].casefold() for m in _WORD.finditer(self.text))

    @cached_property
    def content(self) -> dict[str, str]:
        """Content words, folded → stem; numbers left out."""
        words = dict.fromkeys(m[0].casefold() for m in _WORD.finditer(self.text))
        kept = (w for w in words if w not in _EMPTY and not w[0].isdigit() and len(w) > 1)
        return {word: (terms(word) or [word])[-1] for word in kept}

    @cached_property
    def stems(self) -> frozenset[str]:
        """Stems of the content words."""
        return frozenset(self.content.values())

    @cached_property
    def dates(self) -> list[Date]:
        """Dates, in order."""
        return dates(self.text) if self._may_tell(DATE_WORDS) else []

    @cached_property
    def quantities(self) -> list[Quantity]:
        """Numbers that are no dates, in order."""
        if not self._may_tell(NUMBER_WORDS):
            return []
        return quantities(self.text, taken=[(d.start, d.end) for d in self.dates])

    def _may_tell(self, words: frozenset[str]) -> bool:
        """Whether there is a digit or one of these words: most sentences need no reading."""
        return self._has_digit or not words.isdisjoint(self._letters)

    @cached_property
    def _has_digit(self) -> bool:
        return bool(_DIGIT.search(self.text))

    @cached_property
    def _letters(self) -> frozenset[str]:
        return frozenset(_LETTERS.findall(self.text.casefold()))

    @cached_property
    def names(self) -> list[Name]:
        """Words that are written like names."""
        return names(self.text)

    @cached_property
    def acronyms(self) -> frozenset[str]:
        """What its names could be shortened to."""
        return acronyms(self.text)

    @cached_property
    def words(self) -> list[edits.Word]:
        """Words as the comparison needs them."""
        return edits.words(self.text)


class Source:
    """A source text, its sentences, and how rare its words are."""

    def __init__(self, text: str, *, context: str = "") -> None:
        """`context`: what is known beside the text, such as file name and headings."""
        self.whole = Reading(text)
        self.context = Reading(context)
        self.sentences = [Reading(text[s:e], s) for s, e in text_units(text)]
        self._runs: dict[tuple[int, int], Reading] = {}

    def run(self, first: int, last: int) -> Reading:
        """Consecutive sentences, `last` included, as one reading."""
        if first == last:
            return self.sentences[first]
        if (first, last) not in self._runs:
            start = self.sentences[first].start
            end = self.sentences[last].start + len(self.sentences[last].text)
            self._runs[first, last] = Reading(self.whole.text[start:end], start)
        return self._runs[first, last]

    @cached_property
    def holders(self) -> dict[str, list[int]]:
        """Stem → the sentences that have it."""
        found: dict[str, list[int]] = {}
        for n, each in enumerate(self.sentences):
            for stem in each.stems:
                found.setdefault(stem, []).append(n)
        return found

    @cached_property
    def weights(self) -> dict[str, float]:
        """Stem → how much it tells its sentence from the others, as in BM25."""
        counts = Counter(stem for each in self.sentences for stem in each.stems)
        n = max(8, len(self.sentences))  # of a short source every word would look common
        return {stem: _idf(count, n) for stem, count in counts.items()}

    @cached_property
    def rare(self) -> float:
        """The weight of a stem that the source does not have."""
        return _idf(0, max(8, len(self.sentences)))

    @cached_property
    def sure_names(self) -> frozenset[str]:
        """Names as they stand inside its sentences, folded."""
        found = [*self.whole.names, *self.context.names]
        return frozenset(each.folded for each in found if not each.starts_sentence)

    def names_of(self, reading: Reading) -> list[Name]:
        """The words of a text that are names, judged by how this source writes them."""
        lower = self.whole.lower_words
        return [
            each
            for each in reading.names
            if is_sure(each, lowercase_words=lower, names_elsewhere=self.sure_names)
        ]


def _idf(count: int, n: int) -> float:
    return math.log(1 + (n - min(count, n) + 0.5) / (count + 0.5))
