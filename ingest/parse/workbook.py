"""XLS and XLSB, the workbooks that are not XML: read with calamine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from ingest.clean import one_line
from ingest.parse import archive
from ingest.parse.assemble import Assembler
from ingest.parse.sheets import SheetRow, add_sheet
from ingest.parse.xlsx_numbers import shown
from retrieval.errors import Encrypted, Unreadable
from retrieval.types import Document

XLS = "application/vnd.ms-excel"
XLSB = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
_EMPTY = "There is no text in the workbook: all of its cells are empty."
_DAMAGED = (
    "The workbook cannot be read: {0}. Open it in a spreadsheet program and save it as XLSX."
)
_PASSWORD = "The workbook is protected by a password. Save a copy without one and add that."  # noqa: S105


def read(path: Path, media_type: str) -> Document:
    """Parse an XLS (Excel 5 and later) or XLSB file; values without their number formats.

    Raises:
        NoText, Unreadable, Encrypted, OverBudget: all cells are empty, it is damaged or older,
            needs a password, or unpacks without end.
    """
    if media_type == XLSB:
        archive.check(path)
    assembler = Assembler(media_type)
    try:
        _add_sheets(path, assembler)
    except PasswordError as error:
        raise Encrypted(_PASSWORD) from error
    except (CalamineError, OSError, ValueError) as error:
        raise Unreadable(_DAMAGED.format(one_line(str(error)))) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        # A panic of Rust, which is no Exception: calamine came upon what it holds impossible.
        raise Unreadable(_DAMAGED.format("a part of it is missing")) from error
    return assembler.document(if_empty=_EMPTY)


def _add_sheets(path: Path, assembler: Assembler) -> None:
    # Opened here: given a path, calamine judges the workbook by the name's ending.
    with path.open("rb") as content, CalamineWorkbook.from_filelike(content) as workbook:
        for name in workbook.sheet_names:
            add_sheet(name, _rows(workbook.get_sheet_by_name(name)), assembler)


def _rows(sheet: CalamineSheet) -> Iterator[SheetRow]:
    first = sheet.start[0] + 1 if sheet.start else 1
    for number, row in enumerate(sheet.iter_rows(), start=first):
        yield SheetRow(number, number, [_text(value) for value in row])


def _text(value: object) -> str:
    return one_line(value if isinstance(value, str) else shown(value, "General"))
