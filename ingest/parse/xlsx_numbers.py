"""A cell's value → the text a person sees in it. Pure."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

_MAX_DIGITS = 15  # as many as spreadsheets keep; beyond them is binary noise
_TINY = 1e-4  # below it, digits are counted from the first that is not zero
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]|_.|\*.|\[[^\]]*\]')
_CURRENCY = re.compile(r"[$€£¥]")


class _Look(NamedTuple):
    """What a number format says, as far as it is about reading."""

    n_decimals: int | None  # None where the format leaves it to the number
    thousands: bool
    percent: bool
    prefix: str
    suffix: str


def shown(value: object, number_format: str) -> str:
    """Return the text of a cell's value under its number format.

    >>> shown(0.1234, "0.0%"), shown(3.0000000004, "General"), shown(1234.5, "#,##0.00")
    ('12.3%', '3', '1,234.50')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
        return _moment(value)
    if isinstance(value, int | float):
        return _number(value, _look(number_format))
    return str(value)


def _moment(value: dt.datetime | dt.date | dt.time | dt.timedelta) -> str:
    """ISO 8601, without a time of day where that is midnight."""
    if isinstance(value, dt.datetime):
        if value.time() == dt.time():
            return value.date().isoformat()
        return value.replace(microsecond=0).isoformat(sep=" ")
    return str(value) if isinstance(value, dt.timedelta) else value.isoformat()


def _number(value: float, look: _Look) -> str:
    if not math.isfinite(value):
        return str(value)
    amount = Decimal(repr(value)) * (100 if look.percent else 1)
    if look.n_decimals is None:
        text = _general(float(amount))
    else:
        rounded = round_half_up(amount, look.n_decimals)
        text = format(rounded, ",f" if look.thousands else "f")
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    return f"{sign}{look.prefix}{digits}{'%' if look.percent else ''}{look.suffix}"


def round_half_up(amount: Decimal, n_decimals: int) -> Decimal:
    """Round as spreadsheets do: a half goes away from zero.

    >>> round_half_up(Decimal("2.5"), 0)
    Decimal('3')
    """
    if amount.adjusted() > _MAX_DIGITS:  # more digits than a decimal context holds with a fraction
        return amount.to_integral_value()
    return amount.quantize(Decimal(1).scaleb(-n_decimals), rounding=ROUND_HALF_UP)


def _general(value: float) -> str:
    """The shortest text of a number; the tenth decimal and later ones are noise."""
    if value and abs(value) < _TINY:
        return format(value, ".6g")
    text = format(round(value, 9), f".{_MAX_DIGITS}g")
    return text if "e" in text or "." not in text else text.rstrip("0").rstrip(".")


@lru_cache(maxsize=1024)
def _look(number_format: str) -> _Look:
    first = number_format.split(";", 1)[0]
    bare = _LITERAL.sub("", first)
    place = re.search(r"[#0?]", bare)
    if bare.lower() in {"general", "@", ""} or not place or "E" in bare or "/" in bare:
        return _Look(None, thousands=False, percent="%" in bare, prefix="", suffix="")
    decimals = re.search(r"\.([0#?]*)", bare)
    return _Look(
        n_decimals=len(decimals.group(1)) if decimals else 0,
        thousands="," in bare,
        percent="%" in bare,
        prefix=_sign(first, before=True),
        suffix=_sign(first, before=False),
    )


def _sign(number_format: str, *, before: bool) -> str:
    """The currency sign that stands before or behind the digits."""
    plain = _LITERAL.sub(lambda found: next((g for g in found.groups() if g), ""), number_format)
    digits = re.search(r"[#0?]", plain)
    cut = digits.start() if digits else 0
    signs = _CURRENCY.findall(plain[:cut] if before else plain[cut:])
    return ("" if before else " ") + signs[0] if signs else ""
