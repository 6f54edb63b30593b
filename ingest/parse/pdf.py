"""PDF: text with its page, in reading order, under its headings."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ingest.parse import ocr
from ingest.parse.advice import OCR_HINT
from ingest.parse.assemble import Assembler
from ingest.parse.pdf_headings import Headings, PagePart, running_parts
from ingest.parse.pdf_layout import parts
from ingest.parse.pdf_outline import Outline, read_outline
from ingest.parse.pdf_page import read_pieces
from ingest.parse.pdf_rows import WIDE_GAP
from ingest.parse.pdf_scan import Scan, read_scans
from ingest.parse.pdf_structure import Structure, page_texts, read_structure, rewritten
from retrieval.errors import Encrypted, FileFailed, Unreadable
from retrieval.types import Document, Place

_SCAN = (
    f"There is no text in the PDF, so it looks like a scan. {OCR_HINT}; or run OCR on it yourself, "
    "for example with OCRmyPDF, and add the result."
)
_NOTHING_SEEN = (
    "There is no text in the PDF, and none was recognised in the pictures of its pages."
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
    content, pdf = open_pdf(path)
    try:
        loaded = {number: _page(pdf, number) for number in range(1, len(pdf) + 1)}
        outline = Outline(read_outline(pdf))
        title = pdf.get_metadata_value("Title")
        scans = read_scans(pdf, [number for number, page in loaded.items() if page == []])
    except pdfium.PdfiumError as error:
        raise Unreadable(_DAMAGED.format(error)) from error
    finally:
        pdf.close()
    rest = page_texts(content, [number for number, page in loaded.items() if page is None])
    pages = {number: page or [] for number, page in loaded.items()}
    structure = read_structure(content)
    assembler = Assembler(media_type)
    _assemble(_Read(pages, rest, scans), outline, structure, assembler)
    return assembler.document(
        title=structure.title or title,
        n_pages=len(pages),
        unread_pages=tuple(
            n for n, page in pages.items() if not (page or rest.get(n) or n in scans)
        ),
        if_empty=_NOTHING_SEEN if ocr.is_installed() else _SCAN,
    )


class _Read(NamedTuple):
    """What was read of each page, in one of three ways."""

    pages: dict[int, list[PagePart]]
    rest: dict[int, str]  # of pages that only pypdf could load
    scans: dict[int, Scan]


def _assemble(read: _Read, outline: Outline, structure: Structure, assembler: Assembler) -> None:
    running = running_parts(list(read.pages.values()))
    text = [item for page in read.pages.values() for item in page if id(item) not in running]
    headings = Headings(text, outline)
    for number, page in read.pages.items():
        place = _place(number, structure)
        for item in page:
            level = None if id(item) in running else headings.level(item)
            if level is not None:
                assembler.heading(item.part.text, level=level, place=place)
            else:
                kind = "other" if id(item) in running else item.part.kind
                assembler.add(item.part.text, kind=kind, place=place)
        assembler.add(read.rest.get(number, ""), place=place)
        if number in read.scans:
            seen, scale = read.scans[number]
            ocr.add_page(assembler, seen, page=number, scale=scale, place=place)


def _place(page: int, structure: Structure) -> Place:
    label = structure.label(page)
    return Place(first_page=page, last_page=page, first_page_label=label, last_page_label=label)


def open_pdf(path: Path) -> tuple[Path | bytes, pdfium.PdfDocument]:
    """Return what was opened, the file or a copy that pypdf decrypted or mended, and the PDF.

    Raises:
        Encrypted, Unreadable: neither reader can open it.
    """
    try:
        return path, pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        copy = rewritten(path)
        if copy is None:
            raise _failure(error) from error
    try:
        return copy, pdfium.PdfDocument(copy)
    except pdfium.PdfiumError as error:
        raise _failure(error) from error


def _failure(error: pdfium.PdfiumError) -> FileFailed:
    if error.err_code in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
        return Encrypted(_PASSWORD)
    return Unreadable(_DAMAGED.format("its structure is damaged"))


def _page(pdf: pdfium.PdfDocument, number: int) -> list[PagePart] | None:
    """Parts of one page; None where PDFium cannot load it."""
    try:
        page = pdf[number - 1]
    except pdfium.PdfiumError:
        return None
    try:
        pieces = read_pieces(page, wide_gap=WIDE_GAP)
    finally:
        page.close()
    return [PagePart(number, part) for part in parts(pieces) if part.text]
