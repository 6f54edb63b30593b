"""The shape of filters, for descriptions; `retrieval.filters.parse_filter` checks them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SkipValidation

from api.wire.validation import Closed


def _key_schema(schema: dict[str, Any]) -> None:
    """`property` may stand for `key`, as in the hosted guide."""
    fields = schema["properties"]
    fields["property"] = {**fields["key"], "description": "Another name of `key`."}
    schema["required"] = ["type", "value"]
    schema["oneOf"] = [{"required": ["key"]}, {"required": ["property"]}]


class _Comparison(Closed):
    model_config = ConfigDict(json_schema_extra=_key_schema)

    key: str = Field(
        description="An attribute; `filename` and `file_id` are the file's own"
        " where it has no attribute of that name."
    )


class EqualityFilter(_Comparison):
    """The attribute is, or is not, this value; files without it are under `ne` only."""

    type: Literal["eq", "ne"]
    value: str | float | bool


class OrderingFilter(_Comparison):
    """The attribute is above or below this value, of the same type; strings by code point."""

    type: Literal["gt", "gte", "lt", "lte"]
    value: str | float


class MembershipFilter(_Comparison):
    """The attribute is, or is not, one of these; files without it are under `nin` only."""

    type: Literal["in", "nin"]
    value: list[str | float]


class CompoundFilter(Closed):
    """All (`and`) or any (`or`) of its filters; up to 64 deep and 1,000 in all."""

    type: Literal["and", "or"]
    filters: list[EqualityFilter | OrderingFilter | MembershipFilter | CompoundFilter] = Field(
        min_length=1
    )


class NoFilter(Closed):
    """An empty object, which some clients send for an empty field."""


Filters = Annotated[
    EqualityFilter | OrderingFilter | MembershipFilter | CompoundFilter | NoFilter | None,
    SkipValidation,
]
