"""What the contract allows in attributes, checked for every door that has no schema of its own.

Source: the Files and Vector Stores reference of OpenAI's API, 2026-08.
"""

from __future__ import annotations

import math

from retrieval.errors import InvalidRequest
from retrieval.types import Attributes

MAX_ATTRIBUTES = 16
MAX_KEY_CHARS = 64
MAX_VALUE_CHARS = 512


def check_attributes(attributes: Attributes) -> None:
    """Raise InvalidRequest, naming the attribute, unless all are within the limits."""
    if len(attributes) > MAX_ATTRIBUTES:
        _refuse("", f"at most {MAX_ATTRIBUTES} are allowed, but got {len(attributes)}")
    for key, value in attributes.items():
        if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_CHARS:
            _refuse(f".{key}", f"a key has 1 to {MAX_KEY_CHARS} characters")
        if isinstance(value, str):
            if len(value) > MAX_VALUE_CHARS:
                _refuse(f".{key}", f"a string has at most {MAX_VALUE_CHARS} characters")
        elif not isinstance(value, int | float) or not _is_finite(value):
            _refuse(f".{key}", "a string, a finite number or a boolean is expected")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the doubles
        return False


def _refuse(where: str, reason: str) -> None:
    param = f"attributes{where}"
    raise InvalidRequest(f"Invalid '{param}': {reason}.", param=param, code="invalid_value")
