"""Numbers of a text with their units, in one notation: 1,200 is 1.2 thousand. Pure.

Digits and number words are read alike; a value with a known unit is brought to the base unit of
its dimension, so that ninety minutes equal an hour and a half. Parts of one measure are added
up: "5 hours and 45 minutes". What may be a number or just a word ("a second", "half") is kept as
`loose`: it can confirm a number, and need not be confirmed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from retrieval.verify.spelled import (
    CARDINALS,
    COUNT_WORDS,
    ONES,
    SCALES,
    TIMES,
    Token,
    scaled,
    tokens_of,
    value_at,
)
from retrieval.verify.units import CURRENCIES, UNITS, Unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it is meant; offsets into the text it was read from."""

    value: float  # in the base unit of its dimension
    dimension: str  # "" where the unit is not known, or there is none
    plain: float  # as written, scale words included
    start: int
    end: int
    ordinal: bool = False
    loose: bool = False  # may be a mere word


def quantities(text: str, *, taken: Sequence[tuple[int, int]] = ()) -> list[Quantity]:
    """Every number of a text, in order.

    Args:
        text: one sentence or a few.
        taken: spans that something else was read from, such as dates.

    >>> [(each.value, each.dimension) for each in quantities("It took 1.5 hours, or 90 minutes.")]
    [(5400.0, 'time'), (5400.0, 'time')]
    """
    taken = [*taken, *(match.span() for match in _CLOCK.finditer(text))]
    tokens = [
        each
        for each in tokens_of(text)
        if not any(s < each.end and each.start < e for s, e in taken)
    ]
    return [*_clock_times(text), *_joined(list(_read(tokens)), text)]


_HOUR = "|".join(ONES[1:13])
_CLOCK = re.compile(
    rf"(?<![\d:.])(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::\d\d)?(?![\d:])(?:\s?[ap]\.?m\b\.?)?"
    rf"|\b(?P<past>half past|quarter past|quarter to)\s+(?P<named>{_HOUR})\b"
    rf"|\b(?P<whole>\d{{1,2}}|{_HOUR})(?:\s?[ap]\.?m\b\.?|\s+o['’]clock"
    r"|\s+in the (?:morning|afternoon|evening))",
    re.IGNORECASE,
)
_PAST = {"half past": 30, "quarter past": 15, "quarter to": -15}


def _clock_times(text: str) -> Iterator[Quantity]:
    """Times of day, as minutes since noon or midnight: "half past four" is "4:30 p.m."."""
    for match in _CLOCK.finditer(text):
        named = (match["hour"] or match["named"] or match["whole"]).casefold()
        hour = int(named) if named.isdigit() else int(CARDINALS[named])
        minute = int(match["minute"] or 0) + _PAST.get((match["past"] or "").casefold(), 0)
        value = float((60 * hour + minute) % 720)
        plain = float(hour) if minute == 0 else value / 60
        yield Quantity(value, "clock", plain, match.start(), match.end())


def _read(tokens: list[Token]) -> Iterator[Quantity]:
    at = 0
    while at < len(tokens):
        found = _number_at(tokens, at)
        if found is None:
            at += 1
            continue
        quantity, at = found
        yield quantity


def _number_at(tokens: list[Token], at: int) -> tuple[Quantity, int] | None:
    """The number that begins at token `at` with its unit, and the token behind it."""
    token = tokens[at]
    currency = CURRENCIES.get(token.text) if token.kind == "money" else None
    start = at + 1 if currency else at
    read = value_at(tokens, start)
    if read is None:
        return _one_of_unit(tokens, at)
    value, end = scaled(read.value, tokens, read.end)
    if read.unit:
        unit: Unit | None = UNITS[read.unit]
    elif read.loose and tokens[end - 1].text.casefold() in TIMES:
        unit = None  # "twice a year" is no two years
    elif currency:
        unit = Unit(currency, 1.0)
    else:
        unit, end = _unit_at(tokens, end, ordinal=read.ordinal)
    factor = unit.factor if unit else 1.0
    last = tokens[end - 1]
    return (
        Quantity(
            value=value * factor,
            dimension=unit.dimension if unit else "",
            plain=value,
            start=token.start,
            end=last.end,
            ordinal=read.ordinal,
            loose=read.loose and (unit is None or bool(read.unit)),
        ),
        end,
    )


def _one_of_unit(tokens: list[Token], at: int) -> tuple[Quantity, int] | None:
    """Read "an hour" and "each day": one of it, which a claim may put as sixty minutes."""
    if tokens[at].text.casefold() not in _ARTICLES or at + 1 >= len(tokens):
        return None
    unit = _unit_of(tokens[at + 1], after_gap=True)
    if unit is None or unit.dimension not in _COUNTED:
        return None
    token, last = tokens[at], tokens[at + 1]
    return Quantity(unit.factor, unit.dimension, 1.0, token.start, last.end, loose=True), at + 2


_ARTICLES = frozenset(str.split("a an each every per first next the same"))


def _unit_at(tokens: list[Token], at: int, *, ordinal: bool) -> tuple[Unit | None, int]:
    """The unit that follows a number, maybe behind a word: "half an hour", "24 sidereal hours"."""
    if ordinal:
        return None, at
    for gap in range(3):
        ahead = tokens[at : at + gap]
        if any(t.kind != "word" and t.text not in {"-", "‑"} for t in ahead) or any(
            t.text.casefold() in _NO_GAP for t in ahead
        ):
            break
        if at + gap >= len(tokens):
            break
        unit = _unit_of(tokens[at + gap], after_gap=gap > 0)
        is_far = sum(t.text.casefold() not in _GAPS for t in ahead)
        if unit is not None and (not is_far or (is_far == 1 and unit.dimension in _COUNTED)):
            return _named_degrees(unit, tokens, at + gap + 1)
    return None, at


_GAPS = {"-", "‑", "a", "an", "of", "full", "whole", "working", "business"}
_NO_GAP = frozenset(
    str.split("and or to in on at from by for the than per with is are was were as")
)
_COUNTED = {"time", "length"}  # whose units have adjectives before them: "lunar", "nautical"
# Without a digit, a text needs one of these to tell a number: "an hour" is one.
NUMBER_WORDS = COUNT_WORDS | frozenset(
    word.casefold()
    for word, unit in UNITS.items()
    if unit.dimension in _COUNTED and word.isalpha() and len(word) > 1
)


def _named_degrees(unit: Unit, tokens: list[Token], at: int) -> tuple[Unit, int]:
    """Degrees are of an angle unless a scale follows: "25 degrees Celsius"."""
    if unit.dimension == "angle" and at < len(tokens):
        scale = UNITS.get(tokens[at].text.casefold())
        if scale is not None and scale.dimension in {"celsius", "fahrenheit"}:
            return scale, at + 1
    return unit, at


def _unit_of(token: Token, *, after_gap: bool) -> Unit | None:
    text = token.text.replace(" ", "")
    exact = UNITS.get(text)
    if exact is not None and not (after_gap and len(text) == 1 and text.isalpha()):
        return exact
    return UNITS.get(text.casefold()) if len(text) > 2 else None  # noqa: PLR2004 - m, M, s, kB


_LINKS = re.compile(r"\s*(?:,|and|,\s*and)?\s*")


def _joined(found: list[Quantity], text: str) -> list[Quantity]:
    """Parts of one measure added up, ratios made into shares; the parts stay, as loose ones."""
    result: list[Quantity] = []
    for each in found:
        before = result[-1] if result else None
        if before is not None and (ranged := _ranged(before, each, text)) is not None:
            result[-1:] = [ranged, each]
            continue
        if before is not None and _continues(before, each, text):
            total = before.value + each.value
            whole = replace(before, value=total, end=each.end, loose=False)
            result[-1:] = [replace(before, loose=True), replace(each, loose=True), whole]
        elif before is not None and (share := _share(before, each, text)) is not None:
            result[-1:] = [before, each, share]
        else:
            result.append(each)
    return result


_TO = re.compile(r"\s*(?:to|and|or|-|–|—|until|up to)\s*")


def _ranged(before: Quantity, each: Quantity, text: str) -> Quantity | None:
    """The lower end of a range with what only its upper end names: "3 to 5 hundred metres"."""
    if before.dimension or before.ordinal or before.loose:
        return None
    if _TO.fullmatch(text[before.end : each.start]) is None or not before.plain:
        return None
    scale = 1.0
    words = text[each.start : each.end].casefold().split()
    for word in words:
        scale *= SCALES.get(word, 1.0)
    if not each.dimension and scale == 1.0:
        return None
    scale = scale if before.plain < 1000 else 1.0  # noqa: PLR2004 - "9,000 to 2 million"
    factor = each.value / each.plain if each.plain else 1.0
    plain = before.plain * scale
    return replace(before, value=plain * factor, plain=plain, dimension=each.dimension)


def _continues(before: Quantity, each: Quantity, text: str) -> bool:
    """Whether two are one measure, as "5 hours and 45 minutes" is and "3 km, 2 km" is not."""
    return (
        before.dimension == each.dimension == "time"
        and before.plain != 0
        and before.value / before.plain > each.value / max(each.plain, 1e-9)
        and before.end <= each.start
        and _LINKS.fullmatch(text[before.end : each.start]) is not None
    )


_OF = re.compile(r"\s*(?:\w+\s+)?(?:in|of|out of)(?:\s+(?:every|all))?\s*")


def _share(before: Quantity, each: Quantity, text: str) -> Quantity | None:
    """Read "7 of 100" and "one query in five hundred" as a share."""
    if before.dimension or each.dimension or each.plain < 2 or before.plain >= each.plain:  # noqa: PLR2004
        return None
    if _OF.fullmatch(text[before.end : each.start]) is None or each.plain > 1e6:  # noqa: PLR2004
        return None
    value = before.plain / each.plain
    return Quantity(value, "share", 100 * value, before.start, each.end, loose=True)


def same(one: Quantity, other: Quantity) -> bool:
    """Whether two quantities say the same.

    >>> same(quantities("80 percent")[0], quantities("four fifths of it")[0])
    True
    """
    if one.dimension and other.dimension:
        if one.dimension != other.dimension:
            return {one.dimension, other.dimension} <= _DEGREES and one.plain == other.plain
        return _close(one.value, other.value)
    if "share" in {one.dimension, other.dimension} and max(one.value, other.value) <= 1:
        return _close(one.value, other.value)
    return _close(one.plain, other.plain)


_DEGREES = {"angle", "celsius", "fahrenheit"}


def _close(one: float, other: float) -> bool:
    # "two thirds" is said of 67 percent, "102 metres" not of 103.
    loose = 0.006 if one % 1 and other % 1 and max(one, other) < 1 else 1e-6
    return math.isclose(one, other, rel_tol=max(loose, 1e-6), abs_tol=1e-12)
