"""Attributes by file, from JSON lines, CSV or TOML.

Paths in a manifest are relative to the manifest's own folder. Each file of it must be there.
"""

from __future__ import annotations

import csv
import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Never

from api.batch.scalars import TYPES, guess, read_as
from retrieval.errors import InvalidRequest
from retrieval.limits import check_attributes
from retrieval.types import Attributes, AttributeValue

_PATH_COLUMNS = ("path", "file")
_DELIMITERS = ",;\t"


def read_manifest(path: Path) -> dict[Path, Attributes]:
    """Attributes by the real path of each file; the manifest's kind goes by its name.

    - ``.csv``: a column ``path`` or ``file``; every other column is an attribute. Numbers and
      booleans are taken as such, unless the column says otherwise: ``zip:str``. Empty cells
      say nothing. Commas, semicolons or tabs.
    - ``.toml``: a table for each file, ``["reports/q1.pdf"]``.
    - anything else: JSON lines ``{"path": …, "attributes": {…}}``; other keys are ignored.

    Raises:
        InvalidRequest: with the line, and the column where there is one.
    """
    entries = _READERS.get(path.suffix.lower(), _json_lines)
    try:
        return _resolved(path, entries(path))
    except UnicodeDecodeError as error:
        _refuse(path, None, f"it is not UTF-8 text: {error.reason} at byte {error.start}")


@dataclass(frozen=True, slots=True)
class _Entry:
    line: int | None
    path: str
    attributes: Attributes


def _resolved(manifest: Path, entries: Iterator[_Entry]) -> dict[Path, Attributes]:
    folder = os.path.realpath(manifest.parent)
    found: dict[Path, Attributes] = {}
    for entry in entries:
        location = os.path.normpath(os.path.join(folder, entry.path))  # noqa: PTH118 - 10 x as quick
        if not os.path.isfile(location):  # noqa: PTH113
            _refuse(manifest, entry.line, f"there is no file {location}")
        try:
            check_attributes(entry.attributes)
            json.dumps(dict(entry.attributes), ensure_ascii=False).encode("utf-8")
        except (InvalidRequest, UnicodeEncodeError) as error:
            _refuse(manifest, entry.line, str(error).rstrip("."), error)
        found[Path(location)] = entry.attributes
    return found


def _json_lines(path: Path) -> Iterator[_Entry]:
    for number, line in enumerate(path.read_text("utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            column = getattr(error, "colno", None)
            where = "" if column is None else f", column {column}"
            _refuse(path, number, f"this is not JSON{where}", error)
        if not isinstance(row, dict) or not isinstance(row.get("path"), str):
            _refuse(path, number, "expected an object with 'path' and 'attributes'")
        if not isinstance(row.get("attributes"), dict):
            _refuse(path, number, "expected an object with 'path' and 'attributes'")
        yield _Entry(number, row["path"], row["attributes"])


# --- CSV --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    read: Callable[[str], AttributeValue]


def _csv(path: Path) -> Iterator[_Entry]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = lines.readline()
        delimiter = max(_DELIMITERS, key=header.count)
        lines.seek(0)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            names = next(rows, [])
            path_at, columns = _columns(path, names)
            for row in rows:
                if any(row):
                    yield _csv_entry(path, rows.line_num, row, path_at, columns)
        except csv.Error as error:
            _refuse(path, rows.line_num, str(error), error)


def _columns(path: Path, names: list[str]) -> tuple[int, dict[int, _Column]]:
    lowered = [name.strip().lower() for name in names]
    path_at = next((lowered.index(name) for name in _PATH_COLUMNS if name in lowered), None)
    if path_at is None:
        _refuse(path, 1, f"there is no column 'path' or 'file', only {', '.join(names) or 'none'}")
    columns: dict[int, _Column] = {}
    for place, heading in enumerate(names):
        name, colon, type_name = heading.strip().rpartition(":")
        typed = bool(colon) and type_name in TYPES
        column = _Column(name, _typed(type_name)) if typed else _Column(heading.strip(), guess)
        if place == path_at:
            continue
        if not column.name:
            _refuse(path, 1, f"column {place + 1} has no name")
        if column.name in {each.name for each in columns.values()}:
            _refuse(path, 1, f"column {place + 1}: '{column.name}' is there twice")
        columns[place] = column
    return path_at, columns


def _typed(type_name: str) -> Callable[[str], AttributeValue]:
    return lambda raw: read_as(type_name, raw)


def _csv_entry(
    path: Path, line: int, row: list[str], path_at: int, columns: Mapping[int, _Column]
) -> _Entry:
    if len(row) > len(columns) + 1:
        _refuse(path, line, f"column {len(columns) + 2}: there are more cells than headings")
    if path_at >= len(row) or not row[path_at]:
        _refuse(path, line, f"column {path_at + 1}: the path is missing")
    attributes: dict[str, AttributeValue] = {}
    for place, cell in enumerate(row):
        if place == path_at or not cell:
            continue
        try:
            attributes[columns[place].name] = columns[place].read(cell)
        except ValueError as error:
            _refuse(path, line, f"column {place + 1} ({columns[place].name}): {error}", error)
    return _Entry(line, row[path_at], attributes)


# --- TOML -------------------------------------------------------------------------------------


def _toml(path: Path) -> Iterator[_Entry]:
    text = path.read_text("utf-8-sig")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        _refuse(path, None, str(error), error)  # names line and column
    lines = _headings(text)
    for name, attributes in tables.items():
        if not isinstance(attributes, dict):
            _refuse(path, None, f"'{name}' stands outside of a table; expected [\"{name}\"]")
        for key, value in attributes.items():
            if isinstance(value, dict):
                _refuse(path, lines.get(name), f'write ["{name}.{key}"] with quotes')
        yield _Entry(lines.get(name), name, attributes)


def _headings(text: str) -> dict[str, int]:
    """On which line each table begins, since the parser does not tell."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.lstrip().startswith("["):
            continue
        try:
            (name,) = tomllib.loads(line)
        except (tomllib.TOMLDecodeError, ValueError):
            continue  # part of a multi-line value
        found.setdefault(name, number)
    return found


_READERS: Mapping[str, Callable[[Path], Iterator[_Entry]]] = {".csv": _csv, ".toml": _toml}


def _refuse(path: Path, line: int | None, reason: str, cause: Exception | None = None) -> Never:
    where = str(path) if line is None else f"{path}:{line}"
    raise InvalidRequest(f"{where}: {reason}.", param="manifest", code="invalid_value") from cause
