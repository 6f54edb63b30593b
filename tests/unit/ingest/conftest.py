from collections.abc import Callable
from pathlib import Path

import pytest
from document_checks import check_invariants

from ingest.parse import parse
from retrieval.types import Document

Parsed = Callable[[bytes | str, str], Document]


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
