"""Source code: a block a top-level definition, or a run of lines between blank ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.decode import decode
from ingest.parse import verbatim
from ingest.parse.verbatim import Span
from retrieval.types import Document

_PARAGRAPH = re.compile(r"[^\S\n]*\S[^\n]*(?:\n[^\S\n]*\S[^\n]*)*")
_CLOSING = re.compile(r"[\])}]|end\b|fi\b|done\b|esac\b|else\b|elif\b|except\b|finally\b|catch\b")
# First lines that open a scope worth naming above what stands inside it.
_DEFINITION = re.compile(
    r"(?:[\w\[\]<>,.*&:@ \t]*\b)?(?:class|struct|interface|trait|impl|enum|module|namespace|def|"
    r"func|fn|function|object|protocol|extension|record|sub|type|package)\b[^\n]*"
    r"|[A-Za-z_][\w<>,:*& \t\[\]]*\([^;\n]*\)\s*\{?[^\n;]*$"
)
_NAME_CHARS = 100


def read(path: Path, media_type: str) -> Document:
    """Parse source code; the text is the source as it is.

    What is inside a definition has its first line as heading, so a method is found by its class.

    Raises:
        NoText, Unreadable: the file is blank, or not text.
    """
    text = decode(path.read_bytes())
    return verbatim.document(media_type, text, _spans(text))


def _spans(text: str) -> Iterator[Span]:
    inside: tuple[str, ...] = ()
    for found in _PARAGRAPH.finditer(text):
        start = found.start()
        if not text[start].isspace() and not _CLOSING.match(text, start):
            inside = ()
        yield Span("code", start, found.end(), inside)
        inside = _opened(found.group()) or inside


def _opened(paragraph: str) -> tuple[str, ...]:
    """The last definition at the left margin whose inside goes on after the paragraph."""
    lines = paragraph.split("\n")
    if not lines[-1][:1].isspace() and not lines[-1].rstrip().endswith(("{", ":", "(")):
        return ()
    for line in reversed(lines):
        if not line[:1].isspace() and _DEFINITION.match(line):
            return (line.strip().rstrip("{:").strip()[:_NAME_CHARS],)
    return ()
