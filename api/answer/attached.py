"""Files and images inside messages: their text or bytes, as a language model can read them."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from api.answer.types import Entry, Item, Turn
from ingest.detect import detect, read_ends
from ingest.parse import PARSER_VERSION
from ingest.sandbox import Limits, Sandbox
from retrieval.errors import InvalidRequest

if TYPE_CHECKING:
    from api.engine import Engine

EXTRACTIVE = "extractive"
CUT = "\n[The file goes on; what follows did not fit.]"
UNNAMED = "file"


def with_files(
    engine: Engine, turns: Sequence[Entry], *, model: str, budget: int
) -> tuple[Entry, ...]:
    """The turns with the texts of their files and the images they show.

    Args:
        engine: an open one.
        turns: whose `parts` are still as they came.
        model: `extractive` reads neither, so for it they stay out.
        budget: tokens of file text in all; newer turns come first.
    """
    told: list[Entry] = []
    for turn in reversed(turns):
        if not isinstance(turn, Turn) or not turn.parts or model == EXTRACTIVE:
            told.append(turn)
            continue
        files: list[str] = []
        for part in turn.parts:
            if part["type"] == "input_file":
                name, text = file_text(engine, part)
                shown, n_tokens = _cut(engine, text, budget)
                budget -= n_tokens
                files.append(f"File '{name}':\n{shown}")
        images = [_image(engine, part) for part in turn.parts if part["type"] == "input_image"]
        told.append(replace(turn, files=tuple(files), images=tuple(images)))
    return tuple(reversed(told))


def file_text(engine: Engine, part: Item) -> tuple[str, str]:
    """Name and text of an `input_file` part.

    Raises:
        NotFound: no such file.
        FileFailed: it cannot be read.
    """
    if part.get("file_id"):
        file = engine.file(part["file_id"])
        path = engine.store.blobs.path(file.sha256)
        return file.filename, _text(engine, path, filename=file.filename, sha256=file.sha256)
    name = part.get("filename") or UNNAMED
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        path.write_bytes(_decoded(part["file_data"]))
        return name, _text(engine, path, filename=name, sha256=None)


def _text(engine: Engine, path: Path, *, filename: str, sha256: str | None) -> str:
    if sha256 is not None:
        key = f"{sha256}:{detect(read_ends(path), filename)}:{PARSER_VERSION}"
        with engine.store.read() as view:
            cached = view.documents.find(key)
        if cached is not None:
            return cached[1].text
    settings = engine.settings
    limits = Limits(seconds=settings.parse_timeout_s, memory_bytes=settings.parse_memory_bytes)
    with Sandbox() as sandbox:
        return sandbox.parse(path, filename=filename, limits=limits).text


def _cut(engine: Engine, text: str, budget: int) -> tuple[str, int]:
    """As much of the text as `budget` tokens hold, and how many it takes."""
    spans = engine.embedder.token_spans(text)
    if len(spans) <= budget:
        return text, len(spans)
    end = int(spans[budget - 1][1]) if budget > 0 else 0
    return text[:end] + CUT, max(0, budget)


def _image(engine: Engine, part: Item) -> str:
    """The image's URL; an uploaded one becomes a `data:` URL."""
    if part.get("image_url"):
        return str(part["image_url"])
    file = engine.file(part["file_id"])
    path = engine.store.blobs.path(file.sha256)
    kind = detect(read_ends(path), file.filename)
    if not kind.startswith("image/"):
        kind = _image_type(path)
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


_SIGNATURES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


def _image_type(path: Path) -> str:
    with path.open("rb") as handle:
        head = handle.read(8)
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    raise InvalidRequest(
        "Invalid 'input': the file of an 'input_image' is no PNG, JPEG, GIF or WebP image.",
        param="input",
        code="invalid_value",
    )


def _decoded(data: str) -> bytes:
    """The bytes of `file_data`, a `data:` URL or plain base64."""
    encoded = data.partition(",")[2] if data.startswith("data:") else data
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as exc:
        message = f"Invalid 'file_data': it is not base64 ({exc})."
        raise InvalidRequest(message, param="input", code="invalid_value") from exc
