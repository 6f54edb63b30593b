"""CSV, TSV and their cousins: one block a record."""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import Path

from ingest.clean import one_line
from ingest.decode import decode
from ingest.parse.assemble import Assembler
from ingest.parse.tables import header_row, render
from retrieval.errors import Unreadable
from retrieval.types import Document, Place

_DELIMITERS = ",;\t|"
_LOOK_AT_RECORDS = 30


def read(path: Path, media_type: str) -> Document:
    """Parse delimited text; rows count records from 1, the header included.

    Raises:
        NoText, Unreadable: the file is blank, or not text.
    """
    text = decode(path.read_bytes())
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # one limit a process
    delimiter = _delimiter(text, media_type)
    assembler = Assembler(media_type)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        records = [(reader.line_num, [one_line(cell) for cell in record]) for record in reader]
    except csv.Error as error:
        raise Unreadable(f"The table cannot be read: {error}. Export it anew as CSV.") from error
    position = header_row([cells for _, cells in islice(records, _LOOK_AT_RECORDS)])
    header = None if position is None else records[position][1]
    line = 1
    for row, (last_line, cells) in enumerate(records, start=1):
        below = position is not None and row > position + 1
        place = Place(first_row=row, last_row=row, first_line=line, last_line=last_line)
        assembler.add(render(cells, header if below else None), kind="table_row", place=place)
        line = last_line + 1
    return assembler.document()


def _delimiter(text: str, media_type: str) -> str:
    """The sign that cuts the first records into equally many cells, and the most of them."""
    if media_type == "text/tab-separated-values":
        return "\t"
    return max(_DELIMITERS, key=lambda sign: _evenness(text, sign))


def _evenness(text: str, sign: str) -> tuple[float, int]:
    sample = text[:65_536]
    try:
        records = list(islice(csv.reader(io.StringIO(sample), delimiter=sign), _LOOK_AT_RECORDS))
    except csv.Error:
        return (0.0, 0)
    widths = [len(record) for record in records if record]
    usual = max(set(widths), key=widths.count) if widths else 1
    return (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 0)
