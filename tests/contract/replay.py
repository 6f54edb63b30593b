"""Recorded exchanges, played again: requests in order, and how ours differ in shape from theirs.

Ids are learned on the way: what stands in a reply where theirs has an id is our id for it. What a
language model said is said again by a scripted one. Three formats are read: exchanges as JSON, as
YAML cassettes, and bare streams of events.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# What only the hosted service has, or says of itself.
HOSTED = {"billing", "obfuscation", "moderation", "detail"}
# Maps whose keys are the user's own.
FREE = {"metadata", "attributes"}
# May be null or not, by what else was done to the object; both shapes are the contract's.
NULLABLE = {
    "name",
    "expires_at",
    "expires_after",  # of a vector store in a list: others made theirs
    "completed_at",
    "usage",
    "error",
    "service_tier",
    "prompt_cache_retention",
}
_ID = re.compile(r"(?:file|vs|vsfb|upload|part|resp|msg|fs|conv|rs|fc)[-_]\w{8,}")
_TEXT = "Paris is the capital of France. Travis's favorite food is pizza. "


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its reply."""

    method: str
    path: str  # with its query, from /v1 on
    request: Any  # JSON, or None where it was not recorded or is a form
    status: int
    reply: Any  # JSON, or a list of events


@dataclass(slots=True)
class Replay:
    """Plays exchanges against a server whose base URL is `raw`'s."""

    raw: Any  # an HTTP client
    script: Any  # of the language model `scripted`
    ids: dict[str, str] = field(default_factory=dict)  # theirs → ours
    parts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def play(self, exchanges: list[Exchange]) -> list[str]:
        """What is wrong with our replies, each with its place; nothing if all is well."""
        sizes = _part_sizes(exchanges)
        for exchange in exchanges:
            where = f"{exchange.method} {exchange.path}"
            reply = self._send(exchange, sizes)
            if reply.status_code != exchange.status:
                told = f"{reply.status_code} instead of {exchange.status}: {reply.text[:200]}"
                self.problems.append(f"{where}: {told}")
                continue
            ours = _events(reply.text) if isinstance(exchange.reply, list) else reply.json()
            self.problems += [f"{where}: {each}" for each in differences(exchange.reply, ours)]
            self._learn(exchange.reply, ours)
        return self.problems

    def stream(self, theirs: list[dict[str, Any]], body: dict[str, Any]) -> list[dict[str, Any]]:
        """Our events for a request whose answer is what theirs say."""
        exchange = Exchange("POST", "/v1/responses", body, 200, theirs)
        return _events(self._send(exchange, iter(())).text)

    def _send(self, exchange: Exchange, sizes: Iterator[int]) -> Any:
        path = self._ours(exchange.path)
        if exchange.method == "POST" and path == "/v1/files":
            return self.raw.post(path, **_upload(exchange))
        if exchange.method == "POST" and path.endswith("/parts"):
            made = self.raw.post(path, files={"data": ("upload", b"x" * next(sizes))})
            self.parts.append(made.json().get("id"))
            return made
        body = json.loads(self._ours(json.dumps(exchange.request)))
        if path.endswith("/complete"):
            body = {"part_ids": self.parts}
        elif path == "/v1/uploads" and body is None:
            body = {k: exchange.reply[k] for k in ("filename", "purpose", "bytes")}
            body["mime_type"] = "text/plain"
        elif path == "/v1/responses":
            body = self._asked(exchange, body)
        elif body and "model" in body:
            body["model"] = "scripted"
        return self.raw.request(exchange.method, path, **({"json": body} if body else {}))

    def _asked(self, exchange: Exchange, body: dict[str, Any]) -> dict[str, Any]:
        """The request for the scripted model, which will say what theirs said."""
        self._settle(body)
        response = exchange.reply[-1]["response"] if _is_stream(exchange) else exchange.reply
        parts = [part for item in response["output"] for part in item.get("content") or []]
        text = "".join(part.get("text") or "" for part in parts)
        n_cited = sum(len(part.get("annotations") or []) for part in parts)
        words = re.findall(r"\S+\s*", text)
        if n_cited and words:
            words[-1:] = [words[-1].rstrip(" ."), " [1]" * n_cited, "."]
        is_cut = response["status"] == "incomplete"
        self.script.deltas = words or ["Hello."]
        self.script.finish_reason = "length" if is_cut else "stop"
        told = {"min_support": 0.0, "fallback_citations": False}
        return {**body, "model": "scripted", "sourcebook": told}

    def _settle(self, body: Mapping[str, Any]) -> None:
        """Wait until what is to be searched is indexed."""
        for tool in body.get("tools") or []:
            for store in tool.get("vector_store_ids") or []:
                url, deadline = f"/v1/vector_stores/{store}", time.monotonic() + 30
                while self.raw.get(url).json()["status"] == "in_progress":
                    assert time.monotonic() < deadline
                    time.sleep(0.05)

    def _ours(self, text: str) -> str:
        return _ID.sub(lambda match: self.ids.get(match[0], match[0]), text)

    def _learn(self, theirs: Any, ours: Any) -> None:
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for key, value in theirs.items():
                self._learn(value, ours.get(key))
        elif isinstance(theirs, list) and isinstance(ours, list):
            for one, other in zip(theirs, ours, strict=False):
                self._learn(one, other)
        elif isinstance(theirs, str) and isinstance(ours, str) and _ID.fullmatch(theirs):
            self.ids.setdefault(theirs, ours)


def differences(theirs: Any, ours: Any, path: str = "$") -> Iterator[str]:
    """Keys that ours lacks, values of another type, items and events of another order."""
    if isinstance(theirs, list) and theirs and _is_event(theirs[0]):
        yield from _stream_differences(theirs, ours)
    elif isinstance(theirs, dict):
        if not isinstance(ours, dict):
            yield f"{path}: {_kind(ours)} instead of an object"
            return
        for key in theirs.keys() - HOSTED:
            if key not in ours:
                yield f"{path}.{key} is missing"
            elif key not in FREE and not (key in NULLABLE and None in (theirs[key], ours[key])):
                yield from differences(theirs[key], ours[key], f"{path}.{key}")
    elif isinstance(theirs, list):
        yield from _list_differences(_told(theirs), ours, path)
    elif _kind(theirs) != _kind(ours):
        yield f"{path}: {_kind(ours)} instead of {_kind(theirs)}"


def _list_differences(theirs: list[Any], ours: Any, path: str) -> Iterator[str]:
    if not isinstance(ours, list):
        yield f"{path}: {_kind(ours)} instead of an array"
        return
    kinds = [_type_of(each) for each in theirs], [_type_of(each) for each in ours]
    if any(kinds[0]) and kinds[0] != kinds[1]:
        yield f"{path}: {kinds[1]} instead of {kinds[0]}"
    elif theirs and not ours:
        yield f"{path} is empty"
    else:
        for n, (one, other) in enumerate(zip(theirs, ours, strict=False)):
            yield from differences(one, other, f"{path}[{n}]")


def _stream_differences(theirs: list[Any], ours: Any) -> Iterator[str]:
    told, said = _told_events(theirs), _told_events(ours)
    kinds = [each["type"] for each in told], [each["type"] for each in said]
    if kinds[0] != kinds[1]:
        yield f"events {kinds[1]} instead of {kinds[0]}"
        return
    for one, other in zip(told, said, strict=True):
        yield from differences(one, other, one["type"])


def _told(items: list[Any]) -> list[Any]:
    """Without what a reasoning model thinks: no other has it."""
    return [each for each in items if _type_of(each) != "reasoning"]


def _told_events(events: list[Any]) -> list[Any]:
    """Without reasoning, deltas that follow each other as one, likewise citations at one place."""
    found: list[Any] = []
    for event in events:
        kind = event["type"]
        if "reasoning" in kind or _type_of(event.get("item")) == "reasoning":
            continue
        if kind == "response.output_text.delta" and _before(found, {kind, _ADDED}):
            continue  # the texts around a citation are cut differently
        if kind == _ADDED and _before(found, {_ADDED}):
            continue
        found.append(event)
    return found


_ADDED = "response.output_text.annotation.added"


def _before(found: list[Any], kinds: set[str]) -> bool:
    return bool(found) and found[-1]["type"] in kinds


def _type_of(value: Any) -> str:
    return str(value.get("type", "")) if isinstance(value, dict) else ""


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {int: "number", float: "number", str: "string", dict: "object", list: "array"}
    return names.get(type(value), "null")


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and "sequence_number" in value


def _is_stream(exchange: Exchange) -> bool:
    return isinstance(exchange.reply, list)


def _upload(exchange: Exchange) -> dict[str, Any]:
    reply = exchange.reply
    size, name = reply.get("bytes", 10), reply.get("filename", "a.txt")
    text = (_TEXT * (size // len(_TEXT) + 1))[:size]
    purpose = reply.get("purpose", "no-purpose-at-all")
    return {"files": {"file": (name, text.encode())}, "data": {"purpose": purpose}}


def _part_sizes(exchanges: list[Exchange]) -> Iterator[int]:
    """How large the parts of an upload are, which were not recorded: their sum was."""
    count = sum(each.path.endswith("/parts") for each in exchanges)
    whole = next((e.reply["bytes"] for e in exchanges if e.path == "/v1/uploads"), 0)
    for n in range(count):
        yield whole - (count - 1) if n == 0 else 1


def _events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def exchanges_of(path: Path) -> list[Exchange]:
    """The exchanges of a recording, in JSON or as a YAML cassette."""
    if path.suffix == ".yaml":
        cassette = yaml.safe_load(path.read_text("utf-8"))
        return [_of_cassette(each) for each in cassette["interactions"]]
    entries = json.loads(path.read_text("utf-8"))["entries"]
    return [
        Exchange(
            each["method"],
            each["url"].partition("api.openai.com")[2],
            each["request"] if isinstance(each["request"], dict) else None,
            each["status"],
            _events(each["response"]) if isinstance(each["response"], str) else each["response"],
        )
        for each in entries
    ]


def _of_cassette(each: Mapping[str, Any]) -> Exchange:
    request, response = each["request"], each["response"]
    body = (response.get("body") or {}).get("string") if "body" in response else None
    return Exchange(
        request["method"],
        request["uri"].partition("api.openai.com")[2],
        request.get("parsed_body"),
        response["status"]["code"],
        _events(body) if body else response["parsed_body"],
    )


def events_of(path: Path) -> list[dict[str, Any]]:
    """The events of a stream that was kept without its request: a line of JSON each."""
    lines = path.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]
