"""Every reply against the published schema, closed where that leaves objects open, and ours."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from jsonschema import Draft202012Validator

from api.openapi import document as own_document

SPEC = Path(__file__).parent / "spec" / "filesearch-openapi.conformance.json"
PREFIX = "/v1"

# Open in the specification, but clients were written against exactly these keys.
CLOSED = (
    "OpenAIFile",
    "DeleteFileResponse",
    "Upload",
    "UploadPart",
    "ListFilesResponse",
    "VectorStoreObject",
    "ListVectorStoresResponse",
    "DeleteVectorStoreResponse",
    "VectorStoreFileObject",
    "ListVectorStoreFilesResponse",
    "DeleteVectorStoreFileResponse",
    "VectorStoreFileContentResponse",
    "VectorStoreFileBatchObject",
    "Model",
    "ListModelsResponse",
    "Error",
    "ErrorResponse",
)

# What the hosted service always sends although the specification does not require it.
ALWAYS = {
    "OpenAIFile": ("expires_at", "status_details"),
    "Upload": ("object",),
    "VectorStoreObject": ("description", "expires_after", "expires_at"),
    "VectorStoreFileObject": ("chunking_strategy", "attributes"),
}

# Statuses that the specification lacks, but every server can meet; the body is the error object.
OWN_ERRORS = {403, 405, 413, 415, 500, 503}
HEADERS = ("x-request-id", "openai-version", "openai-processing-ms")


@cache
def document() -> dict[str, Any]:
    """The specification, with CLOSED objects closed and ALWAYS keys required."""
    spec = json.loads(SPEC.read_text(encoding="utf-8"))
    schemas = spec["components"]["schemas"]
    for name in CLOSED:
        schemas[name]["additionalProperties"] = False
    for name, keys in ALWAYS.items():
        schemas[name]["required"] = [*schemas[name]["required"], *keys]
    return spec


@cache
def validator(method: str, path: str, status: int) -> Draft202012Validator | None:
    """For the reply to `method` on `path`; None where the specification gives no JSON body."""
    found = operation(document(), method, path)
    if status in OWN_ERRORS or found is None:
        return _compiled({"$ref": "#/components/schemas/ErrorResponse"}, document())
    responses = found["responses"]
    assert str(status) in responses, f"{method} {path} may not answer {status}"
    content = responses[str(status)].get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return _compiled(schema, document()) if schema else None


@cache
def own_validator(method: str, path: str, status: int) -> Draft202012Validator:
    """Like `validator`, for our own document, which describes every JSON reply."""
    spec = own_document()
    found = operation(spec, method, path)
    if found is None or status == 405:
        return _compiled({"$ref": "#/components/schemas/ErrorBody"}, spec)
    assert str(status) in found["responses"], f"{method} {path} may not answer {status}"
    reply = found["responses"][str(status)]
    if "$ref" in reply:
        reply = spec["components"]["responses"][str(status)]
    return _compiled(reply["content"]["application/json"]["schema"], spec)


def operation(spec: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    """What `spec` says of this call; fixed paths win over patterns."""
    paths = spec["paths"]
    for template in sorted(paths, key=lambda each: each.count("{")):
        pattern = re.sub(r"\{\w+\}", "[^/]+", template.replace("{model}", ".+"))
        if re.fullmatch(pattern, path) and method in paths[template]:
            return paths[template][method]
    return None


def _compiled(schema: dict[str, Any], spec: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": spec["components"]})


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its reply, as far as the contract speaks of them."""

    method: str  # lower case
    path: str
    status: int
    headers: Mapping[str, str]  # of the reply
    body: bytes  # of the reply
    extended: bool = False  # the reply may have `sourcebook` objects


def check(response: httpx2.Response) -> None:
    """Assert that `response` is what the contract says; an event hook for clients."""
    is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
    request = response.request
    check_exchange(
        Exchange(
            request.method.lower(),
            request.url.path,
            response.status_code,
            response.headers,
            b"" if is_stream else response.read(),
            extended=asks_for_extension(request),
        )
    )


def check_exchange(seen: Exchange) -> None:
    """Assert that a reply is what the contract says, and what our own document says."""
    for name in HEADERS:
        assert name in seen.headers, f"{name} is missing"
    media_type = seen.headers.get("content-type", "").partition(";")[0]
    if media_type == "text/event-stream" or not seen.path.startswith(f"{PREFIX}/"):
        return
    if media_type == "application/octet-stream":
        assert seen.path.endswith("/content")
        return
    assert media_type == "application/json", media_type
    body = json.loads(seen.body)
    own = own_validator(seen.method, seen.path, seen.status)
    _no_problems(seen, own, body, "our document")
    path = seen.path.removeprefix(PREFIX)
    if path.startswith("/sourcebook/") and seen.status == 200:  # ours alone
        return
    found = validator(seen.method, path, seen.status)
    if found is not None:
        shown = without_extension(body) if seen.extended else body
        _no_problems(seen, found, shown, "the published document")


def _no_problems(seen: Exchange, found: Draft202012Validator, body: Any, whose: str) -> None:
    problems = [_told(error) for error in found.iter_errors(body)]
    assert not problems, f"{seen.method} {seen.path}, {whose}: {problems}"


def _told(error: Any) -> str:
    where = "/".join(str(step) for step in error.absolute_path)
    return f"at '{where}': {error.message[:300]}"


def asks_for_extension(request: httpx2.Request) -> bool:
    """Whether this request may be answered with `sourcebook` objects."""
    if b"sourcebook" in request.url.query:
        return True
    is_json = request.headers.get("content-type", "").startswith("application/json")
    return is_json and b'"sourcebook"' in request.read()


def without_extension(body: Any) -> Any:
    """A copy of `body` without any `sourcebook` object."""
    if isinstance(body, list):
        return [without_extension(item) for item in body]
    if isinstance(body, dict):
        pairs = body.items()
        return {key: without_extension(value) for key, value in pairs if key != "sourcebook"}
    return copy.copy(body)
