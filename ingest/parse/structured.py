"""JSON, YAML and TOML as their source, and JSON lines as one block a record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.decode import decode, decoded
from ingest.parse import plain, verbatim
from ingest.parse.assemble import Assembler
from ingest.parse.parts import PART_CHARS, joined, lines
from ingest.parse.verbatim import Span
from retrieval.types import Document, Place

_LINES = "application/jsonl"
# Where a part begins: YAML's keys and entries at the left margin, TOML's tables, each with the
# comment right above it.
_PARTS = {
    "application/yaml": re.compile(r"(?m)^(?:#[^\n]*\n)*[^\s#\]})]"),
    "application/toml": re.compile(r"(?m)^(?:#[^\n]*\n)*\["),
}
_LONG_LINE = re.compile(r"[^\n]{2000}")  # written by a machine: without places worth naming
_INDENT = re.compile(r"(?m)^([ \t]+)\S")


def read(path: Path, media_type: str) -> Document:
    """Parse JSON, JSON lines, YAML or TOML.

    JSON keeps its source, laid out anew if it has lines that nobody could read. What is not
    JSON after all is read as plain text: a truncated export still holds text to find.

    Raises:
        NoText, Unreadable: the file is blank, or not text.
    """
    if media_type == _LINES:
        return joined(read_parts(path, media_type))
    text = decode(path.read_bytes())
    if part := _PARTS.get(media_type):
        return verbatim.document(media_type, text, _sections(text, part))
    if _LONG_LINE.search(text):
        try:
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            return plain.read(path, media_type)
    return verbatim.document(media_type, text, _members(text))


def _members(text: str) -> Iterator[Span]:
    """One span for each member of the outermost object or array, found by its indentation."""
    found = _INDENT.search(text)
    if not found:
        yield Span("code", 0, len(text))
        return
    first = re.compile(rf"(?m)^{re.escape(found.group(1))}(?=[^\s\]}}])")
    starts = [0, *(match.start() for match in first.finditer(text))]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield Span("code", start, end)


def _sections(text: str, part: re.Pattern[str]) -> Iterator[Span]:
    starts = sorted({0, *(match.start() for match in part.finditer(text))})
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield Span("code", start, end)


def read_parts(path: Path, media_type: str) -> Iterator[Document]:
    """JSON lines in parts of about a million characters, so that the file may be of any length.

    Raises:
        NoText, Unreadable: like `read`; the first when all lines have been seen.
    """
    assembler, n_parts = Assembler(media_type), 0
    for number, line in enumerate(lines(decoded(path)), start=1):
        if assembler.n_chars >= PART_CHARS:
            yield assembler.part()
            n_parts += 1
        place = Place(first_line=number, last_line=number)
        assembler.add(_record(line), kind="table_row", place=place)
    if assembler.n_blocks or not n_parts:
        yield assembler.document()


def _record(line: str) -> str:
    """``key: value; key: value`` with dotted keys; a line that is not JSON stays as it is."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return "; ".join(f"{key}: {text}" if key else text for key, text in _flat(value, ""))


def _flat(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        if any(isinstance(inner, dict | list) for inner in value):
            for inner in value:
                yield from _flat(inner, key)
        elif value:
            yield key, ", ".join(_scalar(inner) for inner in value)
    elif value is not None and value != "":
        yield key, _scalar(value)


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
