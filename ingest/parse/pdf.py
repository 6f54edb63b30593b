"""PDF: text with its page, in reading order, under its headings."""

from __future__ import annotations

from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ingest.parse.assemble import Assembler
from ingest.parse.pdf_headings import Headings, PagePart, running_parts
from ingest.parse.pdf_layout import parts
from ingest.parse.pdf_outline import Outline, read_outline
from ingest.parse.pdf_page import read_pieces
from ingest.parse.pdf_rows import WIDE_GAP
from retrieval.errors import Encrypted, FileFailed, Unreadable
from retrieval.types import Document, Place

_SCAN = (
    "There is no text in the PDF, so it looks like a scan. Run OCR on it first, for example with "
    "OCRmyPDF, and add the result."
)
_PASSWORD = "The PDF is protected by a password. Save a copy without one and add that."  # noqa: S105
_DAMAGED = (
    "The PDF cannot be read: {0}. Open it in a PDF reader, print or save it to a new PDF, "
    "and add that."
)


def read(path: Path, media_type: str) -> Document:
    """Parse a PDF; every block has its page.

    Raises:
        Encrypted, NoText, Unreadable: it needs a password, is a scan, or is damaged.
    """
    pdf = _open(path)
    try:
        pages = [_page(pdf, number) for number in range(1, len(pdf) + 1)]
        outline = Outline(read_outline(pdf))
        title = pdf.get_metadata_value("Title")
    except pdfium.PdfiumError as error:
        raise Unreadable(_DAMAGED.format(error)) from error
    finally:
        pdf.close()
    assembler = Assembler(media_type)
    _assemble(pages, outline, assembler)
    return assembler.document(
        title=title,
        n_pages=len(pages),
        unread_pages=tuple(number for number, page in enumerate(pages, start=1) if not page),
        if_empty=_SCAN,
    )


def _assemble(pages: list[list[PagePart]], outline: Outline, assembler: Assembler) -> None:
    running = running_parts(pages)
    text = [item for page in pages for item in page if id(item) not in running]
    headings = Headings(text, outline)
    for page in pages:
        for item in page:
            place = Place(first_page=item.page, last_page=item.page)
            level = None if id(item) in running else headings.level(item)
            if level is not None:
                assembler.heading(item.part.text, level=level, place=place)
            else:
                kind = "other" if id(item) in running else item.part.kind
                assembler.add(item.part.text, kind=kind, place=place)


def _open(path: Path) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        raise _failure(error) from error


def _failure(error: pdfium.PdfiumError) -> FileFailed:
    if error.err_code in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
        return Encrypted(_PASSWORD)
    return Unreadable(_DAMAGED.format("its structure is damaged"))


def _page(pdf: pdfium.PdfDocument, number: int) -> list[PagePart]:
    """Parts of one page; none where PDFium cannot load the page."""
    try:
        page = pdf[number - 1]
    except pdfium.PdfiumError:
        return []
    try:
        pieces = read_pieces(page, wide_gap=WIDE_GAP)
    finally:
        page.close()
    return [PagePart(number, part) for part in parts(pieces) if part.text]
