"""XLSX: one block a row, under the name of its sheet."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from ingest.clean import one_line
from ingest.parse import archive
from ingest.parse.assemble import Assembler
from ingest.parse.sheets import SheetRow, add_sheet
from ingest.parse.xlsx_numbers import shown
from retrieval.errors import Unreadable
from retrieval.types import Document

_EMPTY = "There is no text in the workbook: all of its cells are empty."
_DAMAGED = (
    "The workbook is damaged: {0}. Open it in a spreadsheet program and save it anew as XLSX."
)
# openpyxl has no error of its own for damaged content: it trips over what is not there.
_LIBRARY_ERRORS = (
    zipfile.BadZipFile, zlib.error, InvalidFileException, KeyError, ValueError, TypeError,
    OSError, AttributeError, LookupError, SyntaxError, OverflowError, EOFError,
    NotImplementedError,
)  # fmt: skip
_STRICT = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
_DIALECTS = (  # ISO/IEC 29500-1 and -4, annex A: namespaces of the same parts
    (_STRICT, b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"),
    (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    ),
)


def read(path: Path, media_type: str) -> Document:
    """Parse an XLSX file. Formulas count with the values they had when it was saved.

    Raises:
        NoText, Unreadable, OverBudget: all cells are empty, it is damaged, or unpacks without end.
    """
    archive.check(path)
    assembler = Assembler(media_type)
    try:
        # Opened here: given a path, openpyxl judges the workbook by the name's ending.
        with warnings.catch_warnings(), _transitional(path) as content:
            warnings.simplefilter("ignore")  # of features that openpyxl drops; none is text
            workbook = load_workbook(content, read_only=True, data_only=True)
            try:
                for sheet in workbook.worksheets:
                    add_sheet(sheet.title, _rows(sheet), assembler)
                title = workbook.properties.title
            finally:
                workbook.close()
    except _LIBRARY_ERRORS as error:
        raise Unreadable(_DAMAGED.format(error)) from error
    return assembler.document(title=title, if_empty=_EMPTY)


def _transitional(path: Path) -> IO[bytes]:
    """The workbook, in the dialect that openpyxl reads if it is written in the strict one."""
    with zipfile.ZipFile(path) as package:
        if _STRICT not in package.read("xl/workbook.xml"):
            return path.open("rb")
        translated = io.BytesIO()
        with zipfile.ZipFile(translated, "w") as copy:
            for member in package.infolist():
                content = package.read(member)
                for strict, transitional in _DIALECTS:
                    content = content.replace(strict, transitional)
                copy.writestr(member.filename, content)
    translated.seek(0)
    return translated


def _rows(sheet: Any) -> Iterator[SheetRow]:
    sheet.reset_dimensions()  # the stated range is often a lie, up to a million rows of nothing
    for number, row in enumerate(sheet.iter_rows(), start=1):
        yield SheetRow(number, number, [_text(cell) for cell in row])


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    return one_line(value if isinstance(value, str) else shown(value, cell.number_format))
