"""Writes docs/COMPATIBILITY.md: the published API beside what the application describes.

Run it as `make docs`. What a field means to us stands in compatibility.toml, beside this file.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.openapi import document

HERE = Path(__file__).parent
SPEC = HERE / "spec" / "filesearch-openapi.conformance.json"
TARGET = HERE.parents[1] / "docs" / "COMPATIBILITY.md"
RESOURCES = {
    "files": "Files",
    "uploads": "Uploads",
    "vector_stores": "Vector stores, their files, file batches, search",
    "models": "Models",
    "responses": "Responses",
    "conversations": "Conversations",
}
_ITEM = re.compile(r"^(body|reply) (?:input\[\]|items\[\]|data\[\]|output\[\])?\(")
ORDER = ("post", "get", "delete")
Notes = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One operation or field of the published API."""

    name: str
    state: str  # served, ignored, absent
    note: str = ""

    def line(self) -> str:
        """As a row of the table."""
        is_reply = self.name.startswith("reply")
        words = {
            "served": "served, with a note" if self.note else "served",
            "ignored": "**not sent**" if is_reply else "let through",
            "absent": "**not sent**" if is_reply else "**not served**",
        }
        return f"| {self.name} | {words[self.state]} | {self.note} |"


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema with the document that its references point into."""

    spec: dict[str, Any]
    schema: dict[str, Any]

    def of(self, schema: dict[str, Any]) -> Shape:
        """`schema` of the same document, references followed."""
        while "$ref" in schema:
            at: Any = self.spec
            for step in schema["$ref"].removeprefix("#/").split("/"):
                at = at[step]
            schema = at
        return Shape(self.spec, schema)

    def variants(self) -> list[Shape]:
        """What the value may be, each without a choice in it; null is left out."""
        schema = self.schema
        for word in ("anyOf", "oneOf"):
            if word in schema and all(_is_whole(each) for each in schema[word]):
                return [v for each in schema[word] for v in self.of(each).variants()]
        return [] if schema.get("type") == "null" else [self]

    def fields(self) -> dict[str, Shape]:
        """The properties of an object, those of its `allOf` parts too."""
        found: dict[str, Shape] = {}
        for part in self.schema.get("allOf", []):
            found |= self.of(part).fields()
        for name, each in self.schema.get("properties", {}).items():
            found[name] = self.of(each)
        return found

    def kind(self) -> str:
        """The value of the constant `type`, which tells variants apart; empty if there is none."""
        field = self.fields().get("type")
        if field is None:
            return ""
        (schema,) = [each.schema for each in field.variants()][:1] or [{}]
        allowed = schema.get("enum", [schema.get("const")])
        return "/".join(allowed) if all(isinstance(each, str) for each in allowed) else ""

    def is_open(self) -> bool:
        """Whether keys that are not described are let through."""
        return self.schema.get("additionalProperties") is True


def _is_whole(schema: dict[str, Any]) -> bool:
    """Whether this branch of a choice is a type; others only say which keys go together."""
    return bool(schema.keys() & {"$ref", "type", "anyOf", "oneOf", "allOf", "enum"})


def compared(name: str, theirs: Shape | None, ours: Shape | None) -> Iterator[tuple[str, str]]:
    """Dotted paths of their fields, each with what ours does with it."""
    if theirs is None:
        return
    yield from _walk(name, theirs.variants(), ours.variants() if ours else [], above=frozenset())


def _walk(
    path: str, theirs: list[Shape], ours: list[Shape], *, above: frozenset[int]
) -> Iterator[tuple[str, str]]:
    items = [v for each in theirs for v in _items(each)]
    if items:
        own = [v for each in ours for v in _items(each)]
        yield from _walk(f"{path}[]", items, own, above=above)
    kinds = [each.kind() for each in theirs]
    for each in theirs:
        kind = each.kind()
        told_apart = kind and len(set(kinds)) > 1
        here = f"{path}({kind})" if told_apart else path
        own = [v for v in ours if set(v.kind().split("/")) & set(kind.split("/"))] or (
            [] if told_apart else ours
        )
        if told_apart:
            yield here, "served" if own else "absent"
            if not own:
                continue
        yield from _walk_fields(here, each, own, above=above)


def _items(shape: Shape) -> list[Shape]:
    items = shape.schema.get("items")
    return shape.of(items).variants() if isinstance(items, dict) else []


def _walk_fields(
    path: str, theirs: Shape, ours: list[Shape], *, above: frozenset[int]
) -> Iterator[tuple[str, str]]:
    for name, field in theirs.fields().items():
        own = [v for each in ours if name in each.fields() for v in each.fields()[name].variants()]
        here = f"{path}.{name}".lstrip(".")
        if name == "type" and path.endswith(")"):  # it is in the path already
            continue
        yield here, _state(name, own, ours=ours)
        if own and id(field.schema) not in above:  # filters hold filters
            below = above | {id(field.schema)}
            yield from _walk(here, field.variants(), own, above=below)


def _state(name: str, own: list[Shape], *, ours: list[Shape]) -> str:
    """What becomes of a field, of which we have the variants `own`; none of them is null."""
    known = [each.fields()[name] for each in ours if name in each.fields()]
    if known:
        return "served" if own else "null"
    return "ignored" if any(each.is_open() for each in ours) else "absent"


def rows(method: str, path: str, *, notes: Notes, seen: dict[str, str]) -> Iterator[Row]:
    """The operation itself, then its parameters, its body and its reply.

    `seen` holds the replies that were listed before, by the name of their schema.
    """
    spec = json.loads(SPEC.read_text(encoding="utf-8"))
    theirs = spec["paths"][path][method]
    ours = document()["paths"].get(f"/v1{path}", {}).get(method)
    name, call = theirs["operationId"], f"`{method.upper()} {path}`"
    yield Row(call, "served" if ours else "absent", _note(notes, name, "operation"))
    if ours is None:
        return
    found = [("query", each) for each in _parameters(theirs, ours)]
    found += _fields("body", _body(spec, theirs), _body(document(), ours))
    shape = _reply_reference(theirs)
    if shape not in seen:
        found += _fields("reply", _reply(spec, theirs), _reply(document(), ours))
    for place, (field, state) in found:
        yield Row(f"{place} `{field}`", state, _note(notes, name, f"{place} {field}", state))
    if shape in seen:
        yield Row(f"reply: as of {seen[shape]}", "served")
    elif shape:
        seen[shape] = call


def _fields(
    place: str, theirs: Shape | None, ours: Shape | None
) -> list[tuple[str, tuple[str, str]]]:
    null = "served" if place == "reply" else "absent"  # null alone is sent, or no value is taken
    pairs = dict(compared("", theirs, ours)).items()
    return [(place, (field, null if state == "null" else state)) for field, state in pairs]


def _note(notes: Notes, operation: str, field: str, state: str = "served") -> str:
    """What is said of this field: of this operation first, the longest key that fits.

    A key with a star says why something is missing, so it is not for what is served. Items of
    all lists are `item(...)` there.
    """
    field = _ITEM.sub(r"\1 item(", field)
    for table in (notes.get(operation, {}), notes["any"]):
        if field in table:
            return table[field]
        stars = [key for key in table if key.endswith("*") and field.startswith(key[:-1])]
        if stars and state != "served":
            return table[max(stars, key=len)]
    return ""


def _parameters(theirs: dict[str, Any], ours: dict[str, Any]) -> Iterator[tuple[str, str]]:
    known = {each["name"].removesuffix("[]") for each in ours.get("parameters", [])}
    for each in theirs.get("parameters", []):
        if each["in"] == "query":
            yield each["name"], "served" if each["name"].removesuffix("[]") in known else "ignored"


def _body(spec: dict[str, Any], operation: dict[str, Any]) -> Shape | None:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return None
    schema = dict(next(iter(content.values()))["schema"])
    if "expires_after[anchor]" in schema.get("properties", {}):  # a form's way to nest
        fields = {
            key[len("expires_after[") : -1]: value
            for key, value in schema["properties"].items()
            if key.startswith("expires_after[")
        }
        nested = {"type": "object", "properties": fields}
        schema = {**schema, "properties": {**schema["properties"], "expires_after": nested}}
    return Shape(spec, {}).of(schema)


def _reply_reference(operation: dict[str, Any]) -> str:
    content = operation["responses"]["200"].get("content", {})
    return content.get("application/json", {}).get("schema", {}).get("$ref", "")


def _reply(spec: dict[str, Any], operation: dict[str, Any]) -> Shape | None:
    content = operation["responses"]["200"].get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return Shape(spec, {}).of(schema) if schema else None


def tables() -> Iterator[tuple[str, list[list[Row]]]]:
    """Each resource's title with one list of rows for each of its operations."""
    notes = tomllib.loads((HERE / "compatibility.toml").read_text(encoding="utf-8"))
    paths = json.loads(SPEC.read_text(encoding="utf-8"))["paths"]
    seen: dict[str, str] = {}
    for tag, title in RESOURCES.items():
        calls = [
            (path, method)
            for path in sorted(paths)
            for method in sorted(paths[path], key=ORDER.index)
            if path.split("/")[1] == tag
        ]
        yield title, [list(rows(m, path, notes=notes, seen=seen)) for path, m in calls]


def page() -> str:
    """The whole document."""
    found = list(tables())
    states = [row.state for _, lists in found for rows in lists for row in rows]
    version = json.loads(SPEC.read_text(encoding="utf-8"))["info"]["version"]
    served, total = states.count("served"), len(states)
    parts = [INTRODUCTION.format(version=version, served=served, total=total)]
    for title, lists in found:
        parts.append(f"\n## {title}\n")
        for rows in lists:
            parts += ["\n| | | |\n|---|---|---|\n", *(f"{row.line()}\n" for row in rows)]
    return "".join(parts)


INTRODUCTION = """# Compatibility

Made by `make docs` from the published OpenAPI document of the hosted service (version {version},
the part about file search) and from the one that the running application serves; a test holds it
to both. {served} of {total} operations and fields are served.

A field that is not served in a request is refused with a 400 that names it; one that is let
through has no effect. What we take beside the published API (aliases, the `sourcebook`
extension) is in `/openapi.json`. Names in parentheses tell the variants of a value apart, by
their `type`.
"""

if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
