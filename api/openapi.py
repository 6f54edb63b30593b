"""The OpenAPI document, from the table of operations and the shapes of bodies and replies.

Bodies are read by hand (`api.wire`), because the framework would word errors in its own way;
so the framework cannot describe them, and this module does.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from pydantic import TypeAdapter

from api.wire import examples
from api.wire.operations import OPERATIONS, PATH, QUERY, Operation
from api.wire.replies import ErrorBody
from api.wire.response_shapes import StreamEvent

REFERENCE: Final = "#/components/schemas/{model}"
JSON: Final = "application/json"
FORM: Final = "multipart/form-data"

ERRORS: Final = {
    "400": "Something in the request is not allowed; `param` names it.",
    "401": "The API key is missing or wrong.",
    "403": "While there are no API keys: a call from a page of another site, or under a name that is"
    " not this server's.",
    "404": "There is no such object.",
    "413": "The body is too large.",
    "415": "The body is not of the media type that is read here.",
    "500": "The server failed; its log says why.",
    "503": "Busy, or a model cannot be used; `retry-after` says when to try again.",
}

DESCRIPTION: Final = (
    "Self-hosted file search with citations, spoken as the OpenAI API speaks it. Optional fields"
    " may be null, which is the same as leaving them out. What goes beyond the hosted service"
    " stands under the key `sourcebook`, and only when it is asked for."
)


@cache
def document() -> dict[str, Any]:
    """The document; callers must not change it."""
    schemas, components = _schemas()
    paths: dict[str, Any] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.method] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sourcebook",
            "version": version("sourcebook"),
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"ApiKey": []}, {}],
        "paths": paths,
        "components": {"schemas": components, **_COMMON},
    }


_COMMON: Final[dict[str, Any]] = {
    "securitySchemes": {
        "ApiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "Not needed where the server runs open.",
        }
    },
    "headers": {
        "RequestId": {"schema": {"type": "string"}, "description": "Id of this request."},
    },
    "responses": {
        status: {
            "description": words,
            "content": {JSON: {"schema": {"$ref": REFERENCE.format(model="ErrorBody")}}},
        }
        for status, words in ERRORS.items()
    },
}


def _schemas() -> tuple[dict[int, Any], dict[str, Any]]:
    """The schema of each shape, by its `id()`, and the components that they refer to."""
    shapes = {id(shape): shape for shape in _shapes()}
    inputs: Any = [(key, "validation", TypeAdapter(shape)) for key, shape in shapes.items()]
    found, rest = TypeAdapter.json_schemas(inputs, ref_template=REFERENCE)
    schemas = {key[0]: schema for key, schema in found.items()}
    return schemas, _untitled(rest["$defs"])


def _shapes() -> list[Any]:
    bodies = [each.body for each in OPERATIONS if each.body is not None]
    replies = [each.reply for each in OPERATIONS if each.reply is not None]
    return [*bodies, *replies, ErrorBody, StreamEvent]


def _untitled(schema: Any) -> Any:
    """Without the titles that repeat each field's name, and with plain descriptions."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {k: v for k, v in schema.items() if k != "title" or not isinstance(v, str)}
    if isinstance(text := kept.get("description"), str):
        kept["description"] = re.sub(r"\s+", " ", text)
    return {key: _untitled(value) for key, value in kept.items()}


def _operation(of: Operation, schemas: dict[int, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": of.name,
        "tags": [of.tag],
        "summary": of.summary,
        "responses": {"200": _success(of, schemas), **_errors(of)},
    }
    if parameters := _parameters(of):
        found["parameters"] = parameters
    if of.body is not None:
        content = {"schema": schemas[id(of.body)], "example": of.example}
        found["requestBody"] = {"content": {JSON: content}, "required": _needs_body(of)}
    if of.form is not None:
        content = {"schema": dict(of.form), "example": of.example}
        found["requestBody"] = {"content": {FORM: content}, "required": True}
    return found


def _needs_body(of: Operation) -> bool:
    """An empty body counts as `{}`, which is enough where no field is required."""
    return of.body is not None and any(
        field.is_required() for field in of.body.model_fields.values()
    )


def _success(of: Operation, schemas: dict[int, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if of.reply is None:
        binary = {"type": "string", "format": "binary"}
        content["application/octet-stream"] = {"schema": binary, "example": examples.TEXT}
    else:
        content[JSON] = {"schema": schemas[id(of.reply)], "example": of.example_reply}
    if of.streams:
        content["text/event-stream"] = {
            "schema": {"type": "string", "description": "Events, each a `StreamEvent`."},
            "example": examples.event,
        }
    headers = {"x-request-id": {"$ref": "#/components/headers/RequestId"}}
    return {"description": "Done.", "headers": headers, "content": content}


def _errors(of: Operation) -> dict[str, Any]:
    statuses = ["500", "503"]
    if of.path.startswith("/v1/"):
        statuses += ["400", "401", "403"]
    if "{" in of.path or of.can_miss:
        statuses.append("404")
    if of.body is not None or of.form is not None:
        statuses += ["413", "415"]
    return {each: {"$ref": f"#/components/responses/{each}"} for each in sorted(statuses)}


def _parameters(of: Operation) -> list[dict[str, Any]]:
    found = []
    for name in re.findall(r"\{(\w+)\}", of.path):
        schema, example = PATH[name]
        found.append(
            {"name": name, "in": "path", "required": True, "schema": schema, "example": example}
        )
    for key in of.query:
        name, schema, words = QUERY[key]
        described = {"name": name, "in": "query", "schema": schema, "description": words}
        found.append({**described, "allowEmptyValue": True})  # an empty one counts as absent
    return found
