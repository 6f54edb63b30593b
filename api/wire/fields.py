"""Request fields that several resources share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema, model_validator

from api.wire.validation import Closed, kind_of, refuse, too_long
from retrieval.limits import MAX_ATTRIBUTES as MAX_PAIRS
from retrieval.limits import MAX_KEY_CHARS, MAX_VALUE_CHARS
from retrieval.types import MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS, ChunkingStrategy

_CHUNK_SIZES: Final = ("max_chunk_size_tokens", "chunk_overlap_tokens")


def _metadata(pairs: dict[str, Any]) -> dict[str, Any]:
    _check_pairs(pairs)
    for key, value in pairs.items():
        if not isinstance(value, str):
            _refuse_value(key, value, expected="a string")
    return pairs


def _attributes(pairs: dict[str, Any]) -> dict[str, Any]:
    _check_pairs(pairs)
    for key, value in pairs.items():
        if not isinstance(value, str | int | float):
            _refuse_value(key, value, expected="a string, a number or a boolean")
        if not isinstance(value, str) and not _is_finite(value):
            refuse("Invalid '<path>': expected a number that a double can hold.", at=f".{key}")
    return pairs


def _check_pairs(pairs: Mapping[str, Any]) -> None:
    if len(pairs) > MAX_PAIRS:
        _refuse_length("object", MAX_PAIRS, len(pairs), at="")
    for key, value in pairs.items():
        if len(key) > MAX_KEY_CHARS:
            _refuse_length("string", MAX_KEY_CHARS, len(key), at=f".{key[:MAX_KEY_CHARS]}")
        if isinstance(value, str) and len(value) > MAX_VALUE_CHARS:
            _refuse_length("string", MAX_VALUE_CHARS, len(value), at=f".{key}")


def _refuse_length(what: str, limit: int, got: int, *, at: str) -> None:
    wrong = too_long("<path>", what=what, limit=limit, got=got)
    refuse(str(wrong), code=wrong.code, at=at)


def _refuse_value(key: str, value: Any, *, expected: str) -> None:
    text = f"Invalid type for '<path>': expected {expected}, but got {kind_of(value)} instead."
    refuse(text, code="invalid_type", at=f".{key}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer past the doubles, with which it could not be compared
        return False


def map_schema(*values: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a map within the limits above, each value being one of `values`."""
    return {
        "type": "object",
        "maxProperties": MAX_PAIRS,
        "propertyNames": {"maxLength": MAX_KEY_CHARS},
        "additionalProperties": {"anyOf": list(values)} if len(values) > 1 else values[0],
    }


_STRING: Final = {"type": "string", "maxLength": MAX_VALUE_CHARS}
METADATA_SCHEMA: Final = map_schema(_STRING)
ATTRIBUTES_SCHEMA: Final = {
    **map_schema(_STRING, {"type": "number"}, {"type": "boolean"}),
    "propertyNames": {"minLength": 1, "maxLength": MAX_KEY_CHARS},
}

Metadata = Annotated[dict[str, Any], AfterValidator(_metadata), WithJsonSchema(METADATA_SCHEMA)]
Attributes = Annotated[
    dict[str, Any], AfterValidator(_attributes), WithJsonSchema(ATTRIBUTES_SCHEMA)
]


class StoreExpiry(Closed):
    """When a vector store expires, counted from its last use."""

    anchor: Literal["last_active_at"]
    days: int = Field(ge=1, le=365)


class FileExpiry(Closed):
    """When a file expires, counted from its upload."""

    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=2592000)


class StaticChunking(Closed):
    """Sizes in tokens; the overlap is at most half a chunk."""

    max_chunk_size_tokens: int = Field(ge=MIN_CHUNK_TOKENS, le=MAX_CHUNK_TOKENS)
    chunk_overlap_tokens: int = Field(ge=0)

    @model_validator(mode="after")
    def _overlap_fits(self) -> StaticChunking:
        most = self.max_chunk_size_tokens // 2
        if self.chunk_overlap_tokens > most:
            refuse(
                "Invalid '<path>': integer above maximum value. Expected a value <= "
                f"{most} (half of max_chunk_size_tokens), but got {self.chunk_overlap_tokens} "
                "instead.",
                code="integer_above_max_value",
                at=".chunk_overlap_tokens",
            )
        return self


def _chunking_schema(schema: dict[str, Any]) -> None:
    """Says which keys go together, which the fields alone cannot."""
    fields = schema.pop("properties")
    kind, static = fields["type"], fields["static"]
    static = next(each for each in static["anyOf"] if "$ref" in each)
    sizes = {
        "max_chunk_size_tokens": {
            "type": "integer", "minimum": MIN_CHUNK_TOKENS, "maximum": MAX_CHUNK_TOKENS,
        },
        "chunk_overlap_tokens": {"type": "integer", "minimum": 0},
    }  # fmt: skip
    schema["anyOf"] = [
        _object({"type": {**kind, "enum": ["auto"]}, "static": {"type": "null"}}, "type"),
        _object({"type": {**kind, "enum": ["static"]}, "static": static}, "type", "static"),
        _object({"type": {**kind, "enum": ["static"]}, **sizes}, "type", *sizes),
    ]
    for key in ("required", "additionalProperties", "type"):
        schema.pop(key, None)


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


class Chunking(Closed):
    """`auto`, or `static` with its sizes, which may also stand beside `type`."""

    model_config = ConfigDict(json_schema_extra=_chunking_schema)

    type: Literal["auto", "static"]
    static: StaticChunking | None = None

    @model_validator(mode="before")
    @classmethod
    def _lift_flat_sizes(cls, given: Any) -> Any:
        """One of the guides writes the sizes beside `type`; other spellings stay errors."""
        if not isinstance(given, dict) or given.get("type") != "static" or given.get("static"):
            return given
        sizes = {key: given[key] for key in _CHUNK_SIZES if key in given}
        rest = {key: value for key, value in given.items() if key not in sizes}
        return {**rest, "static": sizes} if sizes else given

    @model_validator(mode="after")
    def _sizes_with_static_only(self) -> Chunking:
        if self.type == "static" and self.static is None:
            text = "Missing required parameter: '<path>'."
            refuse(text, code="missing_required_parameter", at=".static")
        if self.type == "auto" and self.static is not None:
            refuse("Unknown parameter: '<path>'.", code="unknown_parameter", at=".static")
        return self


def chunking_strategy(given: Chunking | None) -> ChunkingStrategy:
    """The strategy asked for; absent, null and `auto` are the defaults."""
    if given is None or given.static is None:
        return ChunkingStrategy()
    return ChunkingStrategy(
        max_chunk_size_tokens=given.static.max_chunk_size_tokens,
        chunk_overlap_tokens=given.static.chunk_overlap_tokens,
    )
