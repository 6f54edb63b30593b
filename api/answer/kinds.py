"""What kind of thing a question asks for, and whether a text has one. Pure.

"How heavy is it?" wants a mass, "What colour is it?" a colour. Where the best passage has none, it
does not answer, however near its topic is. Only what can be told for certain is told: most
questions ask for no kind in particular.
"""

from __future__ import annotations

import re

from retrieval.verify.dates import dates
from retrieval.verify.quantities import quantities

Kind = str | frozenset[str]  # a set names dimensions, as in `retrieval.verify.units`

_MONEY = frozenset(str.split("eur usd pound yen crown franc cent penny share"))
_HOW = r"\bhow (?:{})\b"
_WHAT = r"\b(?:what|which|how much)\b.*\b(?:{})\b"
_PATTERNS: tuple[tuple[str, Kind], ...] = (
    (r"\bwhat colou?rs?\b", "colour"),
    (_HOW.format("heavy") + r"|\bhow much\b.*\bweighs?\b", frozenset({"mass"})),
    (_HOW.format("high|tall|wide|deep|thick|broad"), frozenset({"length"})),
    (_WHAT.format("height|width|depth|diameter|length"), frozenset({"length"})),
    (_WHAT.format("costs?|price|fee|fine|fare|worth|salary|rent|paid|dividend|penalty"), _MONEY),
    (_WHAT.format("profit|revenue|budget"), _MONEY),
    (
        _HOW.format("hot|cold|warm") + "|" + _WHAT.format("temperature"),
        frozenset(str.split("celsius fahrenheit kelvin angle")),
    ),
    (_HOW.format("old|soon|quickly"), frozenset({"time"})),
    (_HOW.format("many|much|large|big|often"), "number"),
    (r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade)\b", "date"),
)
_RULES = tuple((re.compile(pattern, re.IGNORECASE), kind) for pattern, kind in _PATTERNS)
_COLOURS = frozenset(
    str.split("""
    red green blue white black yellow brown grey gray orange purple violet pink cream beige silver
    golden gold crimson scarlet maroon turquoise ivory
    """)
)
# Words that count or date without a number.
_COUNTS = re.compile(
    r"\b(?:no|none|nobody|once|twice|few|several|every|each|never|always|unlimited|many|all)\b",
    re.IGNORECASE,
)
_TIMES = re.compile(
    r"\b(?:spring|summer|autumn|fall|winter|morning|noon|evening|night|before|after|until|during"
    r"|once|as soon|century|easter|christmas|every|always|never|today|while)\b",
    re.IGNORECASE,
)


def kind_asked(question: str) -> Kind | None:
    """What the answer must be, if the question says so.

    >>> kind_asked("What colour are the carriages?"), kind_asked("How does it work?")
    ('colour', None)
    """
    return next((kind for pattern, kind in _RULES if pattern.search(question)), None)


def has_kind(kind: Kind, text: str, *, question: str) -> bool:
    """Whether a text has such a thing; a number that the question itself tells is none.

    >>> has_kind(frozenset({"mass"}), "It is 3 m long.", question="How heavy is it?")
    False
    """
    if kind == "colour":
        return not _COLOURS.isdisjoint(re.findall(r"\w+", text.lower()))
    told = quantities(text)
    if kind == "number":
        known = {each.value for each in quantities(question)}
        return bool(_COUNTS.search(text)) or any(each.value not in known for each in told)
    if kind == "date":
        has_time = any(each.dimension == "time" for each in told)
        return has_time or bool(_TIMES.search(text)) or bool(dates(text))
    return any(each.dimension in kind for each in told)
