"""Dates of a text in one notation, whatever their spelling. Pure.

A date may be as vague as a month or a century. What a claim says of a date must stand in its
source; a source may say more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from retrieval.verify.units import UNITS

_MONTHS = str.split(
    "january february march april may june july august september october november december"
)
_MONTH_NUMBERS = {name[:n]: i for i, name in enumerate(_MONTHS, 1) for n in (3, len(name))}
_MONTH_NUMBERS["sept"] = 9
_DAYS = str.split("monday tuesday wednesday thursday friday saturday sunday")
_WORD_ORDINALS = {
    word: n
    for n, word in enumerate(
        str.split(
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
            " thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
            " twenty-first"
        ),
        start=1,
    )
}
_DECADE_WORDS = {
    f"{tens}ies": 10 * n
    for n, tens in enumerate(str.split("twent thirt fort fift sixt sevent eight ninet"), 2)
}
_TEENS = {"eighteen": 1800, "nineteen": 1900, "twenty": 2000, "seventeen": 1700, "sixteen": 1600}

# Without a digit, a text needs one of these to tell a date.
DATE_WORDS = frozenset(
    [
        *_MONTH_NUMBERS,
        *_DAYS,
        *(f"{day}s" for day in _DAYS),
        *_DECADE_WORDS,
        "century",
        "centuries",
    ]
)

_MONTH = (
    r"(?P<month>January|February|March|April|May|June|July|August|September|October|November"
    r"|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?"
)
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_MEASURED = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_YEAR = rf"(?P<year>[12]\d{{3}})\b(?!\s?(?:{_MEASURED})(?!\w))"  # "1024 seconds" is no date
_NTH = r"\d{1,2}(?:st|nd|rd|th)|(?:twenty-)?[a-z]+th|first|second|third|twenty-first"
_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?P<year>\d{4})-(?P<month_number>[01]\d)-(?P<day>[0-3]\d)\b",
        r"\b(?P<day>[0-3]?\d)\.(?P<month_number>[01]?\d)\.(?P<year>\d{4})\b",
        rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?",
        rf"\b{_MONTH}\s+{_DAY}\b(?!\s*[,.]?\d{{3}})(?:,?\s+{_YEAR})?",
        rf"\b{_MONTH}(?:,?\s+(?:of\s+)?{_YEAR})",
        rf"(?<![\w,.]){_MONTH}(?=\W|$)",
        rf"\b(?P<century>{_NTH})[\s-]+(?:century|centuries)\b(?P<era>\s+BCE?\b)?",
        r"\b(?P<hundreds>\d{1,2}00)s(?P<era>\s+BCE?\b)?",
        r"\b(?P<decade>1\d\d0|20\d0)s\b",
        rf"(?i:\b(?P<teen>{'|'.join(_TEENS)})[\s-]+(?P<tens>{'|'.join(_DECADE_WORDS)})\b)",
        r"\b(?P<bc>\d{1,4})\s+BCE?\b",
        r"\bAD\s+(?P<year>\d{1,4})\b",
        rf"(?<![\d,.€$£¥-]){_YEAR}(?![,.]\d|-\d|s\b)",
        rf"(?i:\b(?P<weekday>{'|'.join(_DAYS)})s?\b)",
    )
)


@dataclass(frozen=True, slots=True)
class Date:
    """What a text says of a date; None where it says nothing."""

    start: int
    end: int
    year: int | None = None  # below zero before Christ
    month: int | None = None
    day: int | None = None
    decade: int | None = None  # its first year
    century: int | None = None  # 19 for 1801 to 1900
    weekday: str | None = None

    def agrees(self, source: Date) -> bool:
        """Whether `source` says all that this date says.

        >>> told = dates("on 14 March 2024")[0]
        >>> dates("March 2024")[0].agrees(told), dates("15 March 2024")[0].agrees(told)
        (True, False)
        """
        if self.decade is not None and source.year is not None:
            return self.decade <= source.year < self.decade + 10
        if self.century is not None and source.year is not None:
            return self.century == _century(source.year)
        mine, theirs = self._parts(), source._parts()
        return all(theirs[n] == part for n, part in enumerate(mine) if part is not None)

    def clashes(self, source: Date) -> bool:
        """Whether both speak of one part of a date and say different things."""
        pairs = zip(self._parts(), source._parts(), strict=True)
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)

    def _parts(self) -> tuple[int | str | None, ...]:
        return (self.year, self.month, self.day, self.decade, self.century, self.weekday)


def _century(year: int) -> int:
    return -(-abs(year) // 100) * (-1 if year < 0 else 1)


def dates(text: str) -> list[Date]:
    """Every date of a text, in order; each character belongs to one at most.

    >>> [(each.year, each.month, each.day) for each in dates("From May 2nd, 2000 to June 2001")]
    [(2000, 5, 2), (2001, 6, None)]
    """
    found: list[Date] = []
    for form in _FORMS:
        for match in form.finditer(text):
            span = match.span()
            if any(d.start < span[1] and span[0] < d.end for d in found):
                continue
            if (date := _date(match)) is not None:
                found.append(date)
    return sorted(found, key=lambda each: each.start)


def _date(match: re.Match[str]) -> Date | None:
    given = match.groupdict()
    start, end = match.span()
    sign = -1 if given.get("era") else 1
    date: Date | None = None
    if weekday := given.get("weekday"):
        date = Date(start, end, weekday=weekday.casefold())
    elif century := given.get("century"):
        number = _ordinal(century)
        date = None if number is None else Date(start, end, century=number * sign)
    elif hundreds := given.get("hundreds"):
        date = Date(start, end, century=(int(hundreds) // 100 + 1) * sign)
    elif decade := given.get("decade"):
        date = Date(start, end, decade=int(decade))
    elif teen := given.get("teen"):
        tens = _DECADE_WORDS[given["tens"].casefold()]
        date = Date(start, end, decade=_TEENS[teen.casefold()] + tens)
    elif bc := given.get("bc"):
        date = Date(start, end, year=-int(bc))
    else:
        date = _calendar_date(given, start, end)
    return date


def _calendar_date(given: dict[str, str | None], start: int, end: int) -> Date | None:
    month_name, number = given.get("month"), given.get("month_number")
    month = int(number) if number else None
    if month_name:
        month = _MONTH_NUMBERS[month_name.casefold().rstrip(".")]
    year_text, day_text = given.get("year"), given.get("day")
    year = int(year_text) if year_text else None
    day = int(day_text) if day_text else None
    if (month or 1) not in range(1, 13) or (day is not None and day not in range(1, 32)):
        return None
    return Date(start, end, year=year, month=month, day=day)


def _ordinal(text: str) -> int | None:
    digits = re.match(r"\d+", text)
    return int(digits[0]) if digits else _WORD_ORDINALS.get(text.casefold())
