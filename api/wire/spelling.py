"""Keys of a request that are certainly meant to be others. Pure.

Unknown keys are let through where clients are newer than we are; a misspelt one must not be, or
what it asks for would be silently left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from retrieval.errors import InvalidRequest

_MIN_CHARS = 8  # shorter words have neighbours of their own, such as "input" and "inputs"


def check_spelling(body: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise InvalidRequest for a key that is a known one in another spelling.

    Args:
        body: the request; its values do not matter.
        known: every key that the request may have.
    """
    for key in body:
        meant = None if key in known else _meant(str(key), known)
        if meant is not None and meant not in body:
            raise InvalidRequest(
                f"Unknown parameter: '{key[:64]}'. Did you mean '{meant}'?",
                param=key[:64],
                code="unknown_parameter",
            )


def _meant(key: str, known: Collection[str]) -> str | None:
    plain = _plain(key)
    if len(plain) < _MIN_CHARS:
        return None
    return next((each for each in known if _is_near(plain, _plain(each))), None)


def _plain(key: str) -> str:
    return key.casefold().replace("_", "").replace("-", "")


def _is_near(one: str, other: str) -> bool:
    """Equal, or one letter more, less, other, or two neighbours swapped.

    >>> _is_near("instuctions", "instructions"), _is_near("temperature", "temperament")
    (True, False)
    """
    if abs(len(one) - len(other)) > 1:
        return False
    pairs = enumerate(zip(one, other, strict=False))
    start = next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
    rest, left = one[start:], other[start:]
    return (
        rest[1:] == left[1:]
        or rest[1:] == left
        or rest == left[1:]
        or (rest[:2] == left[1::-1] and rest[2:] == left[2:])
    )
