"""JSON schemas filled from quoted passages: each value is words of the files, with its citation.

What can be filled: objects of strings, arrays of strings, and numbers that stand in the text.
Each property is a question of its own: the user's, with the property's name and description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from api.answer.quoted import readable
from api.answer.types import Cited, Task
from retrieval.errors import InvalidRequest
from retrieval.queries import Citation, Hit

Select = Callable[[str, Sequence[Hit]], tuple[Citation, ...]]
Piece = str | Cited
MAX_PROPERTIES = 20  # each is a search among the sentences at hand

_NUMBER = re.compile(r"(?<![\w.,])-?\d+(?:[,\u202f]\d{3})*(?:\.\d+)?(?![\w])")
_WORDS = re.compile(r"[_\-]+|(?<=[a-z])(?=[A-Z])")
_PLAIN = {"type", "description", "title", "items", "properties", "required", "default", "examples"}
_OPEN = {"additionalProperties", "$schema", "$id"}


def check_fillable(schema: Mapping[str, Any]) -> None:
    """Raise InvalidRequest, with the reason, unless the schema can be filled from quotes."""
    n_properties = _check(schema, "schema")
    if n_properties > MAX_PROPERTIES:
        _refuse(f"it has {n_properties} properties, where at most {MAX_PROPERTIES} can be filled")
    if not schema.get("properties"):
        _refuse("it has no properties to fill")


def _check(schema: Any, path: str) -> int:
    """How many values are to be filled."""
    if not isinstance(schema, Mapping):
        _refuse(f"'{path}' is not an object")
    extra = sorted(set(schema) - _PLAIN - _OPEN)
    if extra:
        _refuse(f"'{path}' demands '{extra[0]}', which quotes cannot promise")
    kind = _kind(schema)
    if kind == "object":
        inner = schema.get("properties") or {}
        return sum(_check(each, f"{path}.{name}") for name, each in inner.items())
    if kind == "array":
        if _kind(schema.get("items") or {}) != "string":
            _refuse(f"'{path}' is an array of something else than strings")
        return _check(schema["items"], f"{path}.items")
    if kind not in {"string", "number", "integer"}:
        _refuse(f"'{path}' is of type '{kind}'")
    return 1


def _refuse(reason: str) -> None:
    raise InvalidRequest(
        "Model 'extractive' fills a JSON schema from quotes: strings, arrays of strings and"
        f" numbers, in objects. This one cannot be filled: {reason}.",
        param="text.format",
        code="invalid_value",
    )


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    return str(kind)


def filled(task: Task, hits: Sequence[Hit], *, select: Select) -> Iterator[Piece]:
    """The object, in pieces of JSON text, with citations inside the quoted strings.

    Raises:
        InvalidRequest: a number is needed that no passage gives.
    """
    writer = _Writer(task.question, hits, select)
    yield from writer.value(task.text_format["schema"], about=())


class _Writer:
    def __init__(self, question: str, hits: Sequence[Hit], select: Select) -> None:
        self._question = question
        self._hits = hits
        self._select = select
        self._n_chars = 0

    def value(self, schema: Mapping[str, Any], *, about: tuple[str, ...]) -> Iterator[Piece]:
        kind = _kind(schema)
        if kind == "object":
            yield from self._object(schema, about=about)
            return
        quotes = self._select(" ".join([self._question, *about]), self._hits)
        if kind == "array" and not quotes:  # its name need not be about anything: "quotes"
            quotes = self._select(self._question, self._hits)
        if kind == "array":
            yield self._text("[")
            for n, quote in enumerate(quotes):
                yield self._text(", " if n else "")
                yield from self._string(quote)
            yield self._text("]")
        elif kind == "string" and quotes:
            yield from self._string(quotes[0])
        elif kind == "string":
            yield self._text("null" if _may_be_null(schema) else '""')
        else:
            yield from self._number(schema, quotes, whole=kind == "integer")

    def _object(self, schema: Mapping[str, Any], *, about: tuple[str, ...]) -> Iterator[Piece]:
        yield self._text("{")
        for n, (name, inner) in enumerate((schema.get("properties") or {}).items()):
            yield self._text((", " if n else "") + json.dumps(name, ensure_ascii=False) + ": ")
            words = _WORDS.sub(" ", name)
            yield from self.value(inner, about=(*about, words, inner.get("description") or ""))
        yield self._text("}")

    def _string(self, quote: Citation) -> Iterator[Piece]:
        text = json.dumps(readable(quote.quote), ensure_ascii=False)
        yield self._text(text[:-1])
        yield Cited((quote,), self._n_chars)
        yield self._text('"')

    def _number(
        self, schema: Mapping[str, Any], quotes: Sequence[Citation], *, whole: bool
    ) -> Iterator[Piece]:
        for quote in quotes:
            for found in _NUMBER.findall(quote.quote):
                value = found.replace(",", "").replace("\u202f", "")
                if not (whole and "." in value):
                    yield self._text(json.dumps(json.loads(_plain(value))))
                    yield Cited((quote,), self._n_chars)
                    return
        if not _may_be_null(schema):
            _refuse("the files give no number for one of its properties")
        yield self._text("null")

    def _text(self, text: str) -> str:
        self._n_chars += len(text)
        return text


def _plain(number: str) -> str:
    """A number as JSON writes it: without leading zeros.

    >>> _plain("-007.50")
    '-7.50'
    """
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    stripped = digits.lstrip("0")
    return sign + ("0" + stripped if not stripped or stripped.startswith(".") else stripped)


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return isinstance(kind, list) and "null" in kind
