from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.parse import parse
from retrieval.types import Document

Parsed = Callable[[bytes | str, str], Document]


def check_invariants(document: Document) -> None:
    """Blocks are in order, apart, trimmed, and hold all that is not white space."""
    text, at = document.text, 0
    for block in document.blocks:
        assert block.start_char >= at
        assert text[at : block.start_char].strip() == ""
        piece = text[block.start_char : block.end_char]
        assert piece
        assert piece == piece.strip()
        at = block.end_char
    assert text[at:].strip() == ""
    text.encode()  # no lone surrogates


@pytest.fixture
def parsed(tmp_path: Path) -> Parsed:
    """Parses content given as bytes or text, under a name, and checks every invariant."""

    def run(content: bytes | str, filename: str) -> Document:
        path = tmp_path / "blob"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        document = parse(path, filename=filename)
        check_invariants(document)
        return document

    return run


def outline(document: Document) -> list[tuple[str, str]]:
    """Kind and text of each block."""
    return [(b.kind, document.text[b.start_char : b.end_char]) for b in document.blocks]
