"""Names in a text: people, places, organisations, products, acronyms. Pure.

Without a model a name is what is written like one: a capital inside a sentence, several capitals
or a mixture with digits. At the start of a sentence a capital says nothing, so the word counts
only if the source shows it to be a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from retrieval.analysis import STOP_WORDS

_WORD = re.compile(r"[^\W_]+(?:['’.&][^\W_]+)*")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;]\s+|\n\s*)[\"'“‘(*•\-–#\d.\s]*$")
_POSSESSIVE = re.compile(r"['’]s?$")
# Capitals that name nothing, or what other checks look at.
_NOT_NAMES = frozenset(
    str.split("""
    i a an the january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday
    saturday sunday mr mrs ms dr sir lady lord prof professor president king queen captain general
    chapter section figure table part appendix article no bc ad bce ce am pm a.m p.m e.g i.e
    it its this that these those he she they we you my our his her their there here what who when
    where which how why
    """)
)
# Other words for one name; each line is one.
_SAME = tuple(
    frozenset(line.split())
    for line in str.splitlines(
        """
    britain british uk gb britons
    us usa u.s u.s.a american america americans
    netherlands dutch holland
    germany german germans
    france french
    spain spanish spaniards
    greece greek greeks
    china chinese
    japan japanese
    switzerland swiss
    denmark danish danes
    sweden swedish swedes
    poland polish poles
    turkey turkish turks
    wales welsh
    ireland irish
    scotland scottish scots
    england english
    europe european
    rome roman romans
    egypt egyptian egyptians
    athens athenian athenians
    norway norwegian norwegians
    finland finnish finns
    eu european
    un united
    nyc new york
    """.strip()
    )
)
_N_STEM = 4  # letters that "Russia" and "Russian" share, "Iran" and "Iraq" do not


@dataclass(frozen=True, slots=True)
class Name:
    """One word of a name; offsets into its text."""

    text: str
    folded: str
    start: int
    end: int
    starts_sentence: bool = False


def names(text: str) -> list[Name]:
    """Every word that is written like (a part of) a name, in order.

    >>> [each.text for each in names("When Ada Lovelace met IBM's Mark-2 team, nobody smiled.")]
    ['Ada', 'Lovelace', 'IBM', 'Mark']
    """
    found = []
    for match in _WORD.finditer(text):
        word = _POSSESSIVE.sub("", match[0])
        if not _looks_named(word):
            continue
        folded = word.casefold().rstrip(".")
        if folded in _NOT_NAMES:
            continue
        starts = bool(_SENTENCE_START.search(text[max(0, match.start() - 12) : match.start()]))
        end = match.start() + len(word)
        found.append(Name(word, folded, match.start(), end, starts and not _is_marked(word)))
    return found


def _looks_named(word: str) -> bool:
    return len(word) > 1 and any(c.isupper() for c in word) and not word.isdigit()


def _is_marked(word: str) -> bool:
    """Whether the word is no ordinary one anywhere: an acronym, a mixture."""
    return sum(c.isupper() for c in word) > 1 or any(c.isdigit() for c in word)


def is_sure(
    name: Name, *, lowercase_words: frozenset[str], names_elsewhere: frozenset[str]
) -> bool:
    """Whether a word at the start of a sentence is a name, by how its source writes it."""
    if not name.starts_sentence:
        return True
    if name.folded in lowercase_words or name.folded in STOP_WORDS:
        return False
    return name.folded in names_elsewhere


def same_name(one: str, other: str) -> bool:
    """Whether two folded words name the same: "Russian" and "Russia", "UK" and "British".

    >>> same_name("russian", "russia"), same_name("austria", "australia")
    (True, False)
    """
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if any(short in group and long in group for group in _SAME):
        return True
    n = len(short)
    if n >= _N_STEM and long.startswith(short) and len(long) - n <= 3:  # noqa: PLR2004 - -ian, -'s
        return True
    if n > _N_STEM and short[-1] in "aeisy" and long.startswith(short[:-1]):
        return long[n - 1 :] in {"an", "ian", "ean", "ese", "ic", "ish", "s", "es", "ies", "en"}
    return False


def knows(name: str, known: Iterable[str]) -> bool:
    """Whether any of the folded words `known` names the same as `name`."""
    return any(same_name(name, each) for each in known)


def acronyms(text: str) -> frozenset[str]:
    """What the runs of capitalised words of a text could be shortened to, folded.

    >>> sorted(acronyms("by the Great Western Railway"))
    ['gw', 'gwr', 'wr']
    """
    found: set[str] = set()
    for run in re.finditer(r"[A-Z][\w’']+(?:\s+(?:of|for|and|the|de)?\s*[A-Z][\w’']+)+", text):
        initials = [w[0].casefold() for w in run[0].split() if w[0].isupper()]
        n = len(initials)
        for i in range(n):
            found.update("".join(initials[i:j]) for j in range(i + 2, n + 1))
    return frozenset(found)
