"""Jupyter notebooks: cells in order, prose under its headings, code with what it printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.decode import decode
from ingest.parse import structured
from ingest.parse.assemble import Assembler
from ingest.parse.html import add_page
from ingest.parse.markdown import markdown_spans
from retrieval.types import Document

_EMPTY = "There is no text in the notebook: all of its cells are empty."
_OUTPUT_CHARS = 20_000  # of one output: the rest of a log is not what a notebook is about


def read(path: Path, media_type: str) -> Document:
    """Parse a notebook, format 3 or 4. What is no notebook after all is read as JSON.

    Raises:
        NoText, Unreadable: all cells are empty, or it is not text.
    """
    try:
        notebook = json.loads(decode(path.read_bytes()))
        cells = _cells(notebook)
    except (ValueError, RecursionError):
        cells = None
    if cells is None:
        return structured.read(path, "application/json")
    assembler = Assembler(media_type)
    language = _language(notebook)
    for cell in cells:
        _add_cell(cell, language, assembler)
    title = _mapping(notebook.get("metadata")).get("title")
    return assembler.document(
        title=title if isinstance(title, str) else assembler.first_heading, if_empty=_EMPTY
    )


def _cells(notebook: Any) -> list[dict[str, Any]] | None:
    """The cells, None if there is no list of them."""
    if not isinstance(notebook, dict):
        return None
    sheets = notebook.get("worksheets")  # format 3 keeps cells there
    holders = sheets if isinstance(sheets, list) else [notebook]
    cells = [holder.get("cells") for holder in holders if isinstance(holder, dict)]
    if not any(isinstance(found, list) for found in cells):
        return None
    return [cell for found in cells for cell in found or [] if isinstance(cell, dict)]


def _language(notebook: dict[str, Any]) -> str:
    metadata = _mapping(notebook.get("metadata"))
    named = (
        _mapping(metadata.get("language_info")).get("name"),
        _mapping(metadata.get("kernelspec")).get("language"),
    )
    return next((name for name in named if isinstance(name, str)), "")


def _add_cell(cell: dict[str, Any], language: str, assembler: Assembler) -> None:
    source = _joined(cell.get("source", cell.get("input")))
    kind = cell.get("cell_type")
    if kind == "heading":  # format 3
        level = cell.get("level")
        assembler.heading(source, level=level if isinstance(level, int) else 1)
    elif kind == "markdown":
        _add_markdown(source, assembler)
    elif kind == "code":
        if source.strip():
            assembler.add(f"```{language}\n{source.strip()}\n```", kind="code")
        for output in cell.get("outputs") or []:
            _add_output(_mapping(output), assembler)
    else:
        assembler.add(source)


def _add_markdown(source: str, assembler: Assembler) -> None:
    for span in markdown_spans(source):
        text = source[span.start_char : span.end_char]
        if span.kind == "heading" and span.heading_path:
            assembler.heading(span.heading_path[-1], level=_level(text, len(span.heading_path)))
        else:
            assembler.add(text, kind=span.kind)


def _level(heading: str, depth: int) -> int:
    """Level of a heading by its marks: the ones above it may stand in other cells."""
    marks = len(heading.lstrip()) - len(heading.lstrip().lstrip("#"))
    return marks or depth


def _add_output(output: dict[str, Any], assembler: Assembler) -> None:
    data = _mapping(output.get("data")) or output
    plain = _joined(data.get("text/plain", output.get("text")))
    page = _joined(data.get("text/html"))
    if "ename" in output:
        assembler.add(f"{output['ename']}: {output.get('evalue', '')}", kind="other")
    elif "<table" in page:  # of a table the plain text is laid out by blanks
        add_page(page, assembler, prune=False)
    elif data.get("text/markdown"):
        _add_markdown(_joined(data["text/markdown"]), assembler)
    else:
        assembler.add(plain[:_OUTPUT_CHARS], kind="other")


def _joined(source: Any) -> str:
    return "".join(_strings(source))


def _strings(source: Any) -> Iterator[str]:
    if isinstance(source, str):
        yield source
    elif isinstance(source, list):
        yield from (line for line in source if isinstance(line, str))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
