"""pydantic's findings in the contract's words: a code, a dotted path and hosted wording."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Final, NoReturn, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from retrieval.errors import InvalidRequest

M = TypeVar("M", bound=BaseModel)

MAX_ECHO_CHARS = 100  # of the caller's own value in a message
OURS = "contract"  # pydantic's type of the errors made by `refuse`


class Closed(BaseModel):
    """A request object of the contract: no unknown keys, no guessing between JSON types.

    Optional fields are declared `T | None = None`, so that null counts as absent.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def parse(model: type[M], value: Any) -> M:
    """`value`, a decoded JSON object, as a `model`.

    Raises:
        InvalidRequest: the first thing that is wrong, as section 1.3 of the contract words it.
    """
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        found = exc.errors(include_url=False)[0]
        raise _translate(found, model) from exc


def refuse(message: str, *, code: str | None = "invalid_value", at: str = "") -> NoReturn:
    """Refuse a value from inside a validator.

    Args:
        message: `<path>` in it becomes the full dotted path of the value.
        code: the contract's error code.
        at: what to append to the path pydantic knows, such as `.key` or `[3]`.
    """
    raise PydanticCustomError(OURS, "{text}", {"text": message, "code": code, "at": at})


def wrong_type(param: str, *, expected: str, got: Any) -> InvalidRequest:
    """For a value of another JSON type than the contract gives `param`."""
    message = f"Invalid type for '{param}': expected {expected}, but got {kind_of(got)} instead."
    return InvalidRequest(message, param=param, code="invalid_type")


def out_of_range(param: str, value: float, *, bound: float) -> InvalidRequest:
    """For a number past `bound`; an integer bound makes it an integer field.

    >>> str(out_of_range("limit", 60, bound=50))
    "Invalid 'limit': integer above maximum value. Expected a value <= 50, but got 60 instead."
    """
    kind = "integer" if isinstance(bound, int) else "decimal"
    above = value > bound
    side, sign = ("above maximum", "<=") if above else ("below minimum", ">=")
    code = f"{kind}_above_max_value" if above else f"{kind}_below_min_value"
    limit = bound if isinstance(bound, int) else f"{bound:g}"
    wanted = f"Expected a value {sign} {limit}, but got {echo(value)} instead."
    return InvalidRequest(
        f"Invalid '{param}': {kind} {side} value. {wanted}", param=param, code=code
    )


def one_of(value: str, allowed: Sequence[str], *, param: str) -> str:
    """`value`, which must be one of `allowed`.

    Raises:
        InvalidRequest: it is not.
    """
    if value in allowed:
        return value
    message = f"Invalid value: '{echo(value)}'. Supported values are: {listed(allowed)}."
    raise InvalidRequest(message, param=param, code="invalid_value")


def listed(words: Sequence[str]) -> str:
    """Quoted words as English lists them.

    >>> listed(["a", "b", "c"])
    "'a', 'b', and 'c'"
    """
    quoted = [f"'{word}'" for word in words]
    if len(quoted) < 3:  # noqa: PLR2004 - a comma needs a third
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def echo(value: Any) -> str:
    """The caller's value, short enough for a message.

    A whole number of thousands of digits has no text in Python, so its size stands for it.
    """
    if isinstance(value, int) and value.bit_length() > 4 * MAX_ECHO_CHARS:
        return "a number of more than 100 digits"
    text = str(value)
    return text if len(text) <= MAX_ECHO_CHARS else f"{text[:MAX_ECHO_CHARS]}…"


def kind_of(value: Any) -> str:
    """The JSON type of `value`, with its article.

    >>> kind_of(True), kind_of(1.5)
    ('a boolean', 'a decimal number')
    """
    return next(words for cls, words in _KINDS if isinstance(value, cls))


_KINDS: Final[Sequence[tuple[type, str]]] = (
    (bool, "a boolean"),  # before int, whose subclass it is
    (int, "an integer"),
    (float, "a decimal number"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
    (type(None), "null"),
    (object, "a file"),
)

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def _translate(found: ErrorDetails, model: type[BaseModel]) -> InvalidRequest:
    kind, context = found["type"], found.get("ctx", {})
    path = dotted(found["loc"])
    if kind == OURS:
        path = f"{path}{context['at']}".lstrip(".")
        text = str(context["text"]).replace("<path>", path)
        return InvalidRequest(text, param=path or None, code=context["code"])
    if kind in _EXPECTED:
        return wrong_type(path, expected=_EXPECTED[kind], got=found["input"])
    if kind == "list_type":
        wanted = _array_words(model, found["loc"])
        return wrong_type(path, expected=wanted, got=found["input"])
    if kind in _SENTENCES:
        return _SENTENCES[kind](path, found["input"], context)
    message = f"Invalid '{path}': {found['msg']}."
    return InvalidRequest(message, param=path, code="invalid_value")


def dotted(loc: Sequence[str | int]) -> str:
    """A pydantic location as the contract writes paths.

    >>> dotted(("files", 0, "attributes"))
    'files[0].attributes'
    """
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return "".join(steps).lstrip(".")


def _array_words(model: type[BaseModel], loc: Sequence[str | int]) -> str:
    """What the array at `loc` holds, such as "an array of strings"."""
    here: Any = model
    for step in loc:
        if isinstance(step, int):
            here = (get_args(_bare(here)) or (None,))[0]
        elif isinstance(here := _bare(here), type) and issubclass(here, BaseModel):
            here = here.model_fields[step].annotation if step in here.model_fields else here
    item = _bare((get_args(_bare(here)) or (None,))[0])
    return "an array of strings" if item is str else "an array of objects"


def _bare(annotation: Any) -> Any:
    """`annotation` without `Annotated` and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(a for a in get_args(annotation) if a is not type(None)))
    return annotation


_Context = Mapping[str, Any]


def missing(path: str) -> InvalidRequest:
    """For a required field that is not there."""
    message = f"Missing required parameter: '{path}'."
    return InvalidRequest(message, param=path, code="missing_required_parameter")


def _missing(path: str, _value: Any, _context: _Context) -> InvalidRequest:
    return missing(path)


def _unknown(path: str, _value: Any, _context: _Context) -> InvalidRequest:
    shown = echo(path)
    return InvalidRequest(f"Unknown parameter: '{shown}'.", param=shown, code="unknown_parameter")


def _literal(path: str, value: Any, context: _Context) -> InvalidRequest:
    if not isinstance(value, str):
        return wrong_type(path, expected="a string", got=value)
    allowed = re.findall(r"'([^']*)'", context["expected"])
    message = f"Invalid value: '{echo(value)}'. Supported values are: {listed(allowed)}."
    return InvalidRequest(message, param=path, code="invalid_value")


def _bound(path: str, value: Any, context: _Context) -> InvalidRequest:
    return out_of_range(path, value, bound=context["le"] if "le" in context else context["ge"])


def _not_finite(path: str, _value: Any, _context: _Context) -> InvalidRequest:
    message = f"Invalid '{path}': expected a finite number."
    return InvalidRequest(message, param=path, code="invalid_value")


def too_long(path: str, *, what: str, limit: int, got: int) -> InvalidRequest:
    """For a string, array or object (`what`) of more than `limit` characters, items or pairs."""
    if what == "object":
        message = (
            f"Invalid '{path}': too many properties. Expected an object with at most {limit} "
            f"properties, but got an object with {got} properties instead."
        )
        return InvalidRequest(message, param=path, code="object_above_max_properties")
    a_thing = "an array" if what == "array" else "a string"
    message = (
        f"Invalid '{path}': {what} too long. Expected {a_thing} with maximum length {limit}, "
        f"but got {a_thing} with length {got} instead."
    )
    return InvalidRequest(message, param=path, code=f"{what}_above_max_length")


def empty(path: str, *, what: str) -> InvalidRequest:
    """For a string or array (`what`) with nothing in it where something is needed."""
    a_thing = "an array" if what == "array" else "a string"
    message = (
        f"Invalid '{path}': empty {what}. Expected {a_thing} with minimum length 1, "
        f"but got an empty {what} instead."
    )
    return InvalidRequest(message, param=path, code=f"empty_{what}")


def _list_too_long(path: str, value: Any, context: _Context) -> InvalidRequest:
    return too_long(path, what="array", limit=context["max_length"], got=len(value))


def _string_too_long(path: str, value: Any, context: _Context) -> InvalidRequest:
    return too_long(path, what="string", limit=context["max_length"], got=len(value))


def _list_too_short(path: str, _value: Any, _context: _Context) -> InvalidRequest:
    return empty(path, what="array")


def _string_too_short(path: str, _value: Any, _context: _Context) -> InvalidRequest:
    return empty(path, what="string")


_SENTENCES: Final[Mapping[str, Callable[[str, Any, _Context], InvalidRequest]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _literal,
    "less_than_equal": _bound,
    "greater_than_equal": _bound,
    "finite_number": _not_finite,
    "too_long": _list_too_long,
    "too_short": _list_too_short,
    "string_too_long": _string_too_long,
    "string_too_short": _string_too_short,
}
