"""Number words and digits → values: "two hundred and twelve", "three and a half", "48.6m". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from retrieval.verify.units import CURRENCIES, UNITS

ONES = str.split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
)
_TENS = str.split("twenty thirty forty fifty sixty seventy eighty ninety")
CARDINALS = {word: float(n) for n, word in enumerate(ONES)} | {
    word: 10.0 * n for n, word in enumerate(_TENS, start=2)
}
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SHORT_SCALES = {"k": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9, "b": 1e9, "tn": 1e12}
_ORDINALS = str.split(
    "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
    " fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_ORDINAL_VALUES = {word: n for n, word in enumerate(_ORDINALS, start=3)}
_DENOMINATORS = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4} | {
    word + ending: n for word, n in _ORDINAL_VALUES.items() for ending in ("", "s")
}
# Counts that are words of their own; each stands for a number that it may or may not mean.
_COUNTS: dict[str, tuple[float, str]] = {
    "once": (1, ""), "twice": (2, ""), "thrice": (3, ""), "both": (2, ""), "pair": (2, ""),
    "double": (2, ""), "doubled": (2, ""), "triple": (3, ""), "dozen": (12, ""), "single": (1, ""),
    "half": (0.5, ""), "quarter": (0.25, ""), "decade": (10, "year"), "century": (100, "year"),
    "millennium": (1000, "year"), "fortnight": (14, "day"), "none": (0, ""),
    "midnight": (0, ""), "annually": (1, "year"), "daily": (1, "day"), "hourly": (1, "hour"),
    "weekly": (1, "week"), "monthly": (1, "month"), "quarterly": (3, "month"), "yearly": (1, "year"),
    "annual": (1, "year"), "overnight": (1, "day"),
}  # fmt: skip

# Every word that may begin a number in words.
COUNT_WORDS = frozenset(
    [
        *[*CARDINALS, *SCALES, *_ORDINAL_VALUES, *_COUNTS, "centuries", "halves", "millennia"],
        *(f"{word}s" for word in _COUNTS),
    ]
)
TIMES = frozenset(str.split("once twice thrice both double doubled triple single none"))

_TOKEN = re.compile(
    r"(?P<money>[€$£¥])\s?(?=\d)"
    r"|(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?P<suffix>(?:st|nd|rd|th)\b|s\b)?"
    r"|(?P<sign>%|°\s?[CF]?\b|°|‰)"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<other>\S)"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or sign; offsets into its text."""

    kind: str
    text: str
    start: int
    end: int
    suffix: str = ""


def tokens_of(text: str) -> Iterator[Token]:
    """Words, numbers and signs of a text, in order."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind == "suffix":
            kind = "number"
        found = match["number"] if kind == "number" else match[0]
        yield Token(kind, found, match.start(), match.end(), match["suffix"] or "")


@dataclass(frozen=True, slots=True)
class Value:
    """What a number says before its unit is read; `end` is the token behind it."""

    value: float
    end: int
    ordinal: bool = False
    loose: bool = False
    unit: str = ""  # of a word that has its own, such as "century"


def value_at(tokens: list[Token], at: int) -> Value | None:
    """The number that begins at token `at`, if one does."""
    if at >= len(tokens):
        return None
    token = tokens[at]
    if token.kind == "number":
        return _in_digits(tokens, at)
    return _in_words(tokens, at) if token.kind == "word" else None


def _in_digits(tokens: list[Token], at: int) -> Value:
    token = tokens[at]
    value = float(token.text.replace(",", ""))
    if token.suffix not in {"", "s"}:
        return Value(value, at + 1, ordinal=True)
    return Value(*_with_fraction(value, tokens, at + 1))


_IRREGULAR = {"centuries": "century", "halves": "half", "millennia": "millennium"}


def _in_words(tokens: list[Token], at: int) -> Value | None:
    word = tokens[at].text.casefold()
    if word in CARDINALS:
        return _spelled(tokens, at)
    if word in _ORDINAL_VALUES:
        return Value(_ORDINAL_VALUES[word], at + 1, ordinal=True)
    singular = word[:-1] if word.endswith("s") and word[:-1] in _COUNTS else word
    if (count := _COUNTS.get(_IRREGULAR.get(word, singular))) is not None:
        return Value(count[0], at + 1, loose=True, unit=count[1])
    if word in SCALES and at and tokens[at - 1].text.casefold() in {"a", "an", "some", "about"}:
        return Value(1.0, at)  # "a hundred": the scale itself is read by `scaled`
    return None


def _spelled(tokens: list[Token], at: int) -> Value:
    """A number in words, such as "two hundred and twelve", "twenty-first" or "nine-tenths"."""
    total, group, end = 0.0, 0.0, at
    while end < len(tokens):
        word = tokens[end].text.casefold()
        if word in CARDINALS and _goes_on(group, CARDINALS[word]):
            group += CARDINALS[word]
        elif word == "hundred":
            group *= 100
        elif word in SCALES:
            total, group = total + group * SCALES[word], 0.0
        elif word in _ORDINAL_VALUES and group % 10 == 0 and group >= 20:  # noqa: PLR2004
            return Value(total + group + _ORDINAL_VALUES[word], end + 1, ordinal=True)
        elif not _joins(tokens, end, group=group, is_first=end == at):
            break
        end += 1
    value, last = _with_fraction(total + group, tokens, end)
    return Value(value, last, loose=value == 1 and last == at + 1)


def _goes_on(group: float, more: float) -> bool:
    """Whether a number word continues what stands before it: "five thirty" is two numbers."""
    return not group % 10 if more < 20 else not group % 100  # noqa: PLR2004


def _joins(tokens: list[Token], at: int, *, group: float, is_first: bool) -> bool:
    """Whether a token holds two parts of one number together: "twenty-one", "hundred and two"."""
    word = tokens[at].text.casefold()
    if word in {"-", "‑"}:
        return _is_number_word(tokens, at + 1)
    return word == "and" and group % 100 == 0 and not is_first and _is_cardinal(tokens, at + 1)


def _is_number_word(tokens: list[Token], at: int) -> bool:
    if at >= len(tokens):
        return False
    word = tokens[at].text.casefold()
    return word in CARDINALS or word in _ORDINAL_VALUES or word in SCALES


def _is_cardinal(tokens: list[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].text.casefold() in CARDINALS


def _words_from(tokens: list[Token], at: int, n: int) -> list[str]:
    return [token.text.casefold() for token in tokens[at : at + n]]


def _with_fraction(value: float, tokens: list[Token], at: int) -> tuple[float, int]:
    """Read "nine tenths", "three and a half", "twelve and three-quarter", "three quarters"."""
    ahead = _words_from(tokens, at, 5)
    skip = 1 if ahead[:1] == ["-"] else 0
    word = ahead[skip] if len(ahead) > skip else ""
    if word in _DENOMINATORS and value >= 1 and (word.endswith("s") or value == 1):
        return value / _DENOMINATORS[word], at + skip + 1
    if ahead[:2] == ["and", "a"] and len(ahead) > 2 and ahead[2] in _DENOMINATORS:  # noqa: PLR2004
        return value + 1 / _DENOMINATORS[ahead[2]], at + 3
    if ahead[:1] == ["and"] and len(ahead) > 2 and ahead[1] in {"one", "three", "two"}:  # noqa: PLR2004
        gap = 1 if ahead[2] == "-" else 0
        name = ahead[2 + gap] if len(ahead) > 2 + gap else ""
        if name in _DENOMINATORS:
            return value + CARDINALS[ahead[1]] / _DENOMINATORS[name], at + 3 + gap
    return value, at


def scaled(value: float, tokens: list[Token], at: int) -> tuple[float, int]:
    """A value times the scale words behind it, and the token behind those."""
    while at < len(tokens):
        word = tokens[at].text.casefold()
        touches = at and tokens[at].start == tokens[at - 1].end
        if word in SCALES:
            value *= SCALES[word]
        elif word in {"dozen", "dozens"}:
            value *= 12
        elif touches and tokens[at].kind == "word" and word in _SHORT_SCALES and word != "m":
            value *= _SHORT_SCALES[word]
        elif touches and word == "m" and _is_money(tokens, at):
            value *= 1e6
        else:
            break
        at += 1
    return value, at


def _is_money(tokens: list[Token], at: int) -> bool:
    """Whether the "m" at `at` stands for millions: "€48.6m", "1.4m euros"."""
    after = UNITS.get(tokens[at + 1].text.casefold()) if at + 1 < len(tokens) else None
    is_currency = after is not None and after.dimension in CURRENCIES.values()
    return is_currency or (at > 1 and tokens[at - 2].kind == "money")
