"""Attributes from where a file lies: `{team}/{year:int}/**` reads two of them off a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Never

from api.batch.scalars import TYPES, read_as
from retrieval.errors import InvalidRequest
from retrieval.limits import check_attributes
from retrieval.types import Attributes

_FIELD = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}")
_SHAPES = {"int": r"[+-]?\d+", "float": r"[+-]?\d+(?:\.\d+)?", "bool": r"(?i:true|false|yes|no)"}
# What a pattern is made of, in the order in which it is tried.
_TOKEN = re.compile(
    r"(?P<field>\{[^{}]*\})|(?P<folders>\*\*/)|(?P<all>\*\*)|(?P<star>\*)|(?P<one>\?)"
)


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern over relative paths, with the fields that it reads."""

    text: str
    regex: re.Pattern[str]
    types: tuple[tuple[str, str], ...]  # (attribute, type) of each field, in order

    def read(self, path: str) -> Attributes:
        """The attributes of the file at `path`; none if the pattern does not match all of it.

        Raises:
            InvalidRequest: a part of the path cannot be a value, such as one of 600 characters.
        """
        match = self.regex.fullmatch(path)
        if match is None:
            return {}
        found = zip(self.types, match.groups(), strict=True)
        try:
            attributes = {name: read_as(type_name, raw) for (name, type_name), raw in found}
        except ValueError as error:
            raise InvalidRequest(f"{self.text}: {error}.", param="from_path", code=None) from error
        check_attributes(attributes)
        return attributes


def parse_pattern(text: str) -> PathPattern:
    """Compile a pattern.

    `{name}` stands for text within one folder or file name, `{name:int}`, `{name:float}`,
    `{name:bool}` and `{name:str}` for a value of that type. `*` and `?` are within one name;
    `**` is any number of folders, and at the end everything below.

    Raises:
        InvalidRequest: a brace without its other, an unknown type, or a name given twice;
            the message names the column.

    >>> pattern = parse_pattern("{team}/{year:int}/**")
    >>> pattern.read("sales/2024/q1/report.pdf")
    {'team': 'sales', 'year': 2024}
    >>> pattern.read("sales/latest/report.pdf")
    {}
    """
    types: dict[str, str] = {}
    parts: list[str] = []
    place = 0
    for token in _TOKEN.finditer(text):
        parts.append(_literal(text, place, token.start()))
        parts.append(_part(text, token, types))
        place = token.end()
    parts.append(_literal(text, place, len(text)))
    if not types:
        _refuse(text, 1, "there is no {name} in it")
    return PathPattern(text, re.compile("".join(parts), re.DOTALL), tuple(types.items()))


def _literal(text: str, start: int, end: int) -> str:
    for column, character in enumerate(text[start:end], start=start + 1):
        if character in "{}":
            _refuse(text, column, f"'{character}' without its other brace")
    return re.escape(text[start:end])


def _part(text: str, token: re.Match[str], types: dict[str, str]) -> str:
    shapes = {"folders": "(?:[^/]+/)*", "all": ".*", "star": "[^/]*", "one": "[^/]"}
    if token.lastgroup != "field":
        return shapes[token.lastgroup or ""]
    column = token.start() + 1
    name, type_name = _FIELD.fullmatch(token[0]).groups()  # type: ignore[union-attr]
    type_name = "str" if type_name is None else type_name
    if not name:
        _refuse(text, column, "a field needs a name, such as {team}")
    if name in types:
        _refuse(text, column, f"'{name}' is there twice")
    if type_name not in TYPES:
        _refuse(text, column, f"'{type_name}' is none of the types {', '.join(TYPES)}")
    types[name] = type_name
    return f"({_SHAPES.get(type_name, '[^/]+?')})"


def _refuse(text: str, column: int, reason: str) -> Never:
    message = f"Pattern '{text}', column {column}: {reason}."
    raise InvalidRequest(message, param="from_path", code="invalid_value")
