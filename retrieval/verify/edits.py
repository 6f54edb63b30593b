"""A claim that is nearly a sentence of its source: what was changed, word by word. Pure.

Most wrong citations are a right sentence with one thing wrong in it. Where a claim follows its
source word for word, the few places where it does not can be named, which tells more than any
likeness of the whole: a word put for a name or a number, a "not" put in or left out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.analysis import STOP_WORDS
from retrieval.verify.polarity import EXPLICIT, opposites
from retrieval.verify.units import UNITS

_TOKEN = re.compile(r"[^\W_]+(?:[.,'’:][^\W_]+)*|[%€$£°µ]")
# Below this share of equal words a claim is no near copy, and differences mean nothing.
MIN_EQUAL = 0.6
_CONTRACTED = re.compile(r"n['’]t$")
_FILLERS = STOP_WORDS | frozenset(
    str.split("also just very quite so too only even still then thus hence however indeed")
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its offsets."""

    text: str
    folded: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Edit:
    """Words of the source, and the words of the claim in their place; either may be none."""

    source: tuple[Word, ...]
    claim: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a claim follows a stretch of its source."""

    equal: float  # share of the claim's words that stand in the source in the same order
    edits: tuple[Edit, ...]

    @property
    def is_copy(self) -> bool:
        """Whether the claim is the source with changes, and not a sentence of its own."""
        return self.equal >= MIN_EQUAL


def words(text: str) -> list[Word]:
    """The words of a text, numbers and signs of units included."""
    return [
        Word(m[0], m[0].casefold().replace("’", "'"), m.start(), m.end())
        for m in _TOKEN.finditer(text)
    ]


def compare(claim: Sequence[Word], source: Sequence[Word]) -> Comparison:
    """Align a claim with a sentence; what of the sentence lies before or after it is no edit.

    >>> found = compare(words("It opens at ten."), words("Note: it opens at nine."))
    >>> [(e.source[0].text, e.claim[0].text) for e in found.edits]
    [('nine', 'ten')]
    """
    a, b = [w.folded for w in source], [w.folded for w in claim]
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    codes = matcher.get_opcodes()
    n_equal = sum(j2 - j1 for tag, _, _, j1, j2 in codes if tag == "equal")
    edits = [
        Edit(tuple(source[i1:i2]), tuple(claim[j1:j2]))
        for n, (tag, i1, i2, j1, j2) in enumerate(codes)
        if tag != "equal" and not (tag == "delete" and n in {0, len(codes) - 1})
    ]
    if codes and codes[-1][0] == "delete" and _is_denial(source[codes[-1][1]].folded):
        edits.append(Edit((source[codes[-1][1]],), ()))  # "those that do" for "that do not"
    return Comparison(n_equal / max(1, len(b)), tuple(edits))


def denial_changed(comparison: Comparison) -> bool:
    """Whether an edit puts a negation in or takes one out, or puts a word for its opposite."""
    return any(_denies(edit) for edit in comparison.edits)


def _denies(edit: Edit) -> bool:
    here = sum(_is_denial(w.folded) for w in edit.claim)
    there = sum(_is_denial(w.folded) for w in edit.source)
    if (here + there) % 2:
        return True
    return any(opposites(one.folded, other.folded) for one in edit.claim for other in edit.source)


def _is_denial(word: str) -> bool:
    return word in EXPLICIT or bool(_CONTRACTED.search(word))


def replaced_names(comparison: Comparison) -> list[tuple[str, str]]:
    """Names of the source, and what stands in their place: another name."""
    found = []
    for edit in comparison.edits:
        theirs = [w for w in edit.source if _is_named(w)]
        ours = [w for w in edit.claim if _is_named(w)]
        equal = {w.folded for w in theirs} & {w.folded for w in ours}
        if theirs and ours and not equal:
            found.append((theirs[0].text, ours[0].text))
    return found


def _is_named(word: Word) -> bool:
    return word.text[:1].isupper() and word.folded not in STOP_WORDS


def replaced_units(comparison: Comparison) -> list[tuple[str, str]]:
    """Units of the source, and the words in their place."""
    found = []
    for edit in comparison.edits:
        theirs = [w.text for w in edit.source if _is_unit(w.text)]
        ours = [w.text for w in edit.claim if w.folded not in _FILLERS and not w.text[0].isdigit()]
        if len(theirs) == len(ours) == 1 and UNITS[_unit(theirs[0])] != UNITS.get(_unit(ours[0])):
            found.append((theirs[0], ours[0]))
    return found


def _unit(text: str) -> str:
    return text if text in UNITS else text.casefold()


def _is_unit(text: str) -> bool:
    return text in UNITS or (len(text) > 2 and text.casefold() in UNITS)  # noqa: PLR2004
