"""Values of attributes as people write them: numbers and booleans without quotes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from retrieval.limits import check_attributes
from retrieval.types import AttributeValue

Reader = Callable[[str], AttributeValue]


def guess(raw: str) -> AttributeValue:
    """A JSON number or boolean as what it is; anything else stays text.

    >>> [guess("2024"), guess("true"), guess("1e3"), guess("007"), guess("NaN")]
    [2024, True, 1000.0, '007', 'NaN']
    """
    try:
        value = json.loads(raw, parse_constant=lambda _: raw)
    except ValueError:
        return raw
    return value if isinstance(value, int | float) else raw


def _boolean(raw: str) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return known[raw.strip().lower()]


TYPES: Mapping[str, Reader] = {"str": str, "int": int, "float": float, "bool": _boolean}


def read_as(type_name: str, raw: str) -> AttributeValue:
    """`raw` as a value of one of `TYPES`.

    Raises:
        ValueError: it is not one.

    >>> [read_as("str", "007"), read_as("int", "007"), read_as("bool", "No")]
    ['007', 7, False]
    """
    try:
        value = TYPES[type_name](raw)
    except (ValueError, KeyError):
        raise ValueError(f"{raw!r} is no {type_name}") from None
    check_attributes({"value": value})
    return value
