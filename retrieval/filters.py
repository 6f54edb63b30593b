"""Which files may answer: JSON → Filter → one mask over a vector store's files.

A filter decides file by file, before anything is ranked. Two ways of running one are kept
side by side: `matches` reads one file's attributes, `mask` reads typed columns of all files.
They must agree, and a property test holds them to it.

Values compare within their JSON type only: ``true`` is never ``1`` and ``"1"`` never ``1``.
Numbers compare as doubles, which is exact for integers up to 2**53. Strings compare by code
point. A file whose attribute is missing or of another type is no error: it does not match,
except under ``ne`` and ``nin``, which are the exact opposites of ``eq`` and ``in``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import InvalidFilter

if TYPE_CHECKING:
    from retrieval.attributes import FrozenColumns
    from retrieval.types import Attributes, AttributeValue

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
Scalar: TypeAlias = str | float | bool  # numbers are always float here

ORDERINGS = ("gt", "gte", "lt", "lte")
MEMBERSHIPS = ("in", "nin")
COMPARISONS = ("eq", "ne", *ORDERINGS, *MEMBERSHIPS)
COMPOUNDS = ("and", "or")

MAX_DEPTH = 64  # nested compounds; the contract names no limit, a parser needs one
MAX_NODES = 1000


@dataclass(frozen=True, slots=True)
class Comparison:
    """One attribute against a value; `value` is a tuple under `in` and `nin`."""

    op: Operator
    key: str
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compound:
    """All (`and`) or any (`or`) of `filters`, of which there is at least one."""

    op: Literal["and", "or"]
    filters: tuple[Filter, ...]


Filter: TypeAlias = Comparison | Compound


# --- JSON → Filter ------------------------------------------------------------------------


def parse_filter(obj: Any, *, path: str = "filters") -> Filter | None:
    """Check a decoded JSON filter and freeze it; None where it asks for nothing.

    Args:
        obj: what the request holds; None and ``{}`` mean no filter.
        path: name of the field, the start of every path in an error.

    Raises:
        InvalidFilter: malformed in itself; `path` names the place inside it.

    >>> parse_filter({"type": "eq", "property": "filename", "value": "a.txt"})
    Comparison(op='eq', key='filename', value='a.txt')
    """
    if obj is None or obj == {}:
        return None
    return _Parser().node(obj, path, depth=1)


class _Parser:
    """Counts nodes while it descends, so that no filter costs more than the limits allow."""

    def __init__(self) -> None:
        self.n_nodes = 0

    def node(self, obj: Any, path: str, *, depth: int) -> Filter:
        self.n_nodes += 1
        if self.n_nodes > MAX_NODES:
            raise InvalidFilter(path, f"more than {MAX_NODES} comparisons and compounds.")
        if depth > MAX_DEPTH:
            raise InvalidFilter(path, f"nested more than {MAX_DEPTH} deep.")
        if not isinstance(obj, Mapping):
            raise _wrong_type(path, "an object", obj)
        op = _required(obj, "type", path)
        if op in COMPOUNDS:
            return self._compound(obj, path, depth=depth)
        if op in COMPARISONS:
            return _comparison(obj, path)
        allowed = ", ".join(f"'{name}'" for name in (*COMPARISONS, *COMPOUNDS))
        got = "null" if op is None else repr(op)
        raise InvalidFilter(f"{path}.type", f"{got} is no operator; allowed are {allowed}.")

    def _compound(self, obj: Mapping[str, Any], path: str, *, depth: int) -> Compound:
        _no_other_keys(obj, ("type", "filters"), path)
        path = f"{path}.filters"
        items = _required(obj, "filters", path.removesuffix(".filters"))
        if not isinstance(items, list):
            raise _wrong_type(path, "an array of filters", items)
        if not items:
            raise InvalidFilter(path, "an empty array; give at least one.", code="empty_array")
        nodes = (self.node(it, f"{path}[{i}]", depth=depth + 1) for i, it in enumerate(items))
        return Compound(obj["type"], tuple(nodes))


def _comparison(obj: Mapping[str, Any], path: str) -> Comparison:
    _no_other_keys(obj, ("type", "key", "property", "value"), path)
    op = cast("Operator", obj["type"])
    key = _key(obj, path)
    value = _required(obj, "value", path)
    path = f"{path}.value"
    if op not in MEMBERSHIPS:
        return Comparison(op, key, _scalar(value, path, booleans=op in ("eq", "ne")))
    if not isinstance(value, list):
        raise _wrong_type(path, "an array of strings and numbers", value)
    items = (_scalar(item, f"{path}[{i}]", booleans=False) for i, item in enumerate(value))
    return Comparison(op, key, tuple(items))


def _key(obj: Mapping[str, Any], path: str) -> str:
    """`property` is what the hosted guide writes for `key`."""
    name = "key" if "key" in obj else "property"
    if name == "key" and "property" in obj:
        raise InvalidFilter(f"{path}.property", "means the same as 'key'; give one of them.")
    if name not in obj:
        name = "key"
    key = _required(obj, name, path)
    if not isinstance(key, str):
        raise _wrong_type(f"{path}.{name}", "a string", key)
    return key


def _scalar(value: Any, path: str, *, booleans: bool) -> Scalar:
    if isinstance(value, str) or (booleans and isinstance(value, bool)):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        kinds = "a string, number or boolean" if booleans else "a string or number"
        raise _wrong_type(path, kinds, value)
    number = as_double(value)
    if not math.isfinite(number):
        raise InvalidFilter(path, "not a finite number.")
    return number


def _required(obj: Mapping[str, Any], name: str, path: str) -> Any:
    if name not in obj:
        raise InvalidFilter(f"{path}.{name}", "missing.", code="missing_required_parameter")
    return obj[name]


def _no_other_keys(obj: Mapping[str, Any], allowed: tuple[str, ...], path: str) -> None:
    for name in obj:
        if name not in allowed:
            raise InvalidFilter(f"{path}.{name}", "unknown here.", code="unknown_parameter")


def _wrong_type(path: str, expected: str, got: Any) -> InvalidFilter:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    name = "null" if got is None else names.get(type(got), "a number")
    return InvalidFilter(path, f"expected {expected}, but got {name}.", code="invalid_type")


# --- running one --------------------------------------------------------------------------


def as_double(value: float) -> float:
    """The double that stands for a JSON number; integers beyond all doubles are infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def effective(attributes: Attributes, *, filename: str, file_id: str) -> Attributes:
    """What filters see: real file name and id stand in where no attribute has that key."""
    return {"filename": filename, "file_id": file_id, **attributes}


def matches(filter: Filter | None, attributes: Attributes, *, filename: str, file_id: str) -> bool:
    """Whether one file passes; the plain reading that `mask` must agree with."""
    seen = effective(attributes, filename=filename, file_id=file_id)
    return filter is None or _passes(filter, seen)


def _passes(node: Filter, seen: Attributes) -> bool:
    if isinstance(node, Compound):
        combine = all if node.op == "and" else any
        return combine(_passes(child, seen) for child in node.filters)
    value = seen.get(node.key)
    if isinstance(node.value, tuple):
        return any(_equal(value, item) for item in node.value) == (node.op == "in")
    if node.op in ("eq", "ne"):
        return _equal(value, node.value) == (node.op == "eq")
    return _same_type(value, node.value) and bool(ORDER[node.op](_plain(value), node.value))


def _equal(value: AttributeValue | None, wanted: Scalar) -> bool:
    return _same_type(value, wanted) and _plain(value) == wanted


def _same_type(value: AttributeValue | None, wanted: Scalar) -> bool:
    """Same JSON type; Python counts a boolean as an int, JSON does not."""
    if value is None or isinstance(value, bool) or isinstance(wanted, bool):
        return type(value) is type(wanted)
    return isinstance(value, str) == isinstance(wanted, str)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool) else as_double(value)


ORDER: Mapping[str, Callable[[Any, Any], Any]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def mask(filter: Filter | None, columns: FrozenColumns) -> NDArray[np.bool_]:
    """Which rows of `columns` pass.

    Returns:
        bool (n_rows,), fresh; the caller may write into it.
    """
    if filter is None:
        return np.ones(columns.n_rows, dtype=np.bool_)
    if isinstance(filter, Compound):
        combine = np.logical_and if filter.op == "and" else np.logical_or
        kept = mask(filter.filters[0], columns)
        for child in filter.filters[1:]:
            combine(kept, mask(child, columns), out=kept)
        return kept
    kept = _comparison_mask(filter, columns)
    return np.logical_not(kept, out=kept) if filter.op in ("ne", "nin") else kept


def _comparison_mask(node: Comparison, columns: FrozenColumns) -> NDArray[np.bool_]:
    """As if `ne` were `eq` and `nin` were `in`; the caller turns them round."""
    if isinstance(node.value, tuple):
        return columns.among(node.key, node.value)
    if node.op in ("eq", "ne"):
        return columns.among(node.key, (node.value,))
    return columns.ordered(node.key, node.op, node.value)
