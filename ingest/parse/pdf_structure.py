"""What pypdf knows of a PDF beside PDFium: labels of pages, title, and a way in where PDFium has none.

See docs/decisions/0005-pypdf-beside-pdfium.md.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from pypdf import PasswordType, PdfReader, PdfWriter

from ingest.clean import one_line

T = TypeVar("T")

_LABEL_CHARS = 40  # a label is a number or a word; what is longer is damage

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it reports each repair it makes


@dataclass(frozen=True, slots=True)
class Structure:
    """Facts of a PDF that stand beside its pages' content."""

    title: str | None
    labels: tuple[str | None, ...]  # by page; None where the label is the page's own number

    def label(self, page: int) -> str | None:
        """Return the label of a page, counted from 1, if it says more than the number."""
        return self.labels[page - 1] if 0 < page <= len(self.labels) else None


_NOTHING = Structure(title=None, labels=())


def read_structure(content: Path | bytes) -> Structure:
    """Return what pypdf can tell; nothing where it cannot read the file."""
    with _stream(content) as stream:
        return _tried(lambda: _structure(_reader(stream)), _NOTHING)


def rewritten(content: Path | bytes) -> bytes | None:
    """Return the PDF written anew without encryption and with its structure repaired.

    The empty password is tried as both the user's and the owner's; PDFium tries it as the user's
    only. None where pypdf cannot read the file, or no password that is empty opens it.
    """
    with _stream(content) as stream:
        return _tried(lambda: _rewritten(_reader(stream)), None)


def page_texts(content: Path | bytes, numbers: Sequence[int]) -> dict[int, str]:
    """Return the text of the pages `numbers` (from 1) as pypdf reads it, "" where it cannot.

    Slow: for the pages that PDFium cannot load.
    """
    if not numbers:
        return {}
    with _stream(content) as stream:
        reader = _tried(lambda: _reader(stream), None)
        return {number: _tried(partial(_text, reader, number), "") for number in numbers}


def _text(reader: PdfReader | None, number: int) -> str:
    return reader.pages[number - 1].extract_text() if reader else ""


def _stream(content: Path | bytes) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _tried(action: Callable[[], T], otherwise: T) -> T:
    """The result of `action`, or `otherwise` if pypdf trips over damage.

    It has errors of its own for some damage only; a missing key, a wrong type, a recursion or an
    endless number come as they are. Running out of memory is not the second reader's to hide.
    """
    try:
        return action()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - see above
        return otherwise


def _reader(stream: BinaryIO) -> PdfReader:
    reader = PdfReader(stream)
    if reader.is_encrypted:
        reader.decrypt("")
    return reader


def _structure(reader: PdfReader) -> Structure:
    title = _tried(lambda: reader.metadata.title if reader.metadata else None, None)
    return Structure(title=title, labels=_tried(lambda: _labels(reader), ()))


def _labels(reader: PdfReader) -> tuple[str | None, ...]:
    if "/PageLabels" not in reader.root_object:
        return ()
    labels = (one_line(label) for label in reader.page_labels)
    return tuple(
        label if label and label != str(page) and len(label) <= _LABEL_CHARS else None
        for page, label in enumerate(labels, start=1)
    )


def _rewritten(reader: PdfReader) -> bytes | None:
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        return None
    writer = PdfWriter()
    for page in reader.pages:
        writer.add_page(page)
    copy = io.BytesIO()
    writer.write(copy)
    return copy.getvalue()
