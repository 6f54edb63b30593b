"""DOCX, PPTX and XLSX of the corpus, from the same sources, with fixed dates."""

import csv
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
from docx import Document
from docx.document import Document as DocxDocument
from markup import Bullets, Heading, Paragraph, Table, read_blocks
from openpyxl.styles import Font
from pptx import Presentation
from pptx.slide import Slide
from pptx.util import Inches, Pt

AUTHOR = "The Editors of the Timekeeping Library"
STAMP = datetime(2024, 1, 1, tzinfo=UTC)
_ZIP_STAMP = STAMP.timetuple()[:6]
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")
_TITLE_ONLY, _TITLE_AND_CONTENT = 5, 1  # layouts of the default template


def build_docx(source: Path, out: Path) -> None:
    """Write a report with heading styles and ruled tables."""
    document = Document()
    for block in read_blocks(source):
        match block:
            case Heading(level, text):
                document.add_heading(text, level - 1)
            case Paragraph(text):
                document.add_paragraph(text)
            case Bullets(items):
                for item in items:
                    document.add_paragraph(item, style="List Bullet")
            case Table():
                _docx_table(document, block)
    _stamp(document.core_properties, source)
    document.save(str(out))
    freeze_zip(out)


def _docx_table(document: DocxDocument, table: Table) -> None:
    """Add a captioned table whose first row is bold."""
    document.add_paragraph(table.caption, style="Caption")
    grid = document.add_table(len(table.rows), len(table.rows[0]), style="Table Grid")
    for row, values in zip(grid.rows, table.rows, strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    for cell in grid.rows[0].cells:
        cell.paragraphs[0].runs[0].bold = True


def build_pptx(source: Path, out: Path) -> None:
    """Write a deck: the first heading is the title slide, each later one a slide."""
    deck = Presentation()
    blocks = read_blocks(source)
    cover = deck.slides.add_slide(deck.slide_layouts[0])
    cover.shapes.title.text = blocks[0].text
    cover.placeholders[1].text = "Talk for the Timekeeping Library"
    slide = cover
    for block, following in zip(blocks[1:], [*blocks[2:], None], strict=True):
        if isinstance(block, Heading):
            layout = _TITLE_ONLY if isinstance(following, Table) else _TITLE_AND_CONTENT
            slide = deck.slides.add_slide(deck.slide_layouts[layout])
            slide.shapes.title.text = block.text
        elif isinstance(block, Bullets):
            slide.placeholders[1].text = "\n".join(block.items)
        elif isinstance(block, Table):
            _pptx_table(slide, block)
    _stamp(deck.core_properties, source)
    deck.save(str(out))
    freeze_zip(out)


def _pptx_table(slide: Slide, table: Table) -> None:
    """Place a table under the title of the slide."""
    n_rows, n_columns = len(table.rows), len(table.rows[0])
    shape = slide.shapes.add_table(
        n_rows, n_columns, Inches(0.7), Inches(1.8), Inches(8.6), Inches(3)
    )
    for i, values in enumerate(table.rows):
        for j, value in enumerate(values):
            shape.table.cell(i, j).text = value
            shape.table.cell(i, j).text_frame.paragraphs[0].font.size = Pt(18)


def build_xlsx(folder: Path, out: Path) -> None:
    """Write a workbook with one sheet for each CSV of the folder, in order of name."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for path in sorted(folder.glob("*.csv")):
        sheet = book.create_sheet(path.stem)
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines):
                sheet.append([int(value) if value.isdigit() else value for value in row])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for letter in "ABCDE":
            sheet.column_dimensions[letter].width = 24
        sheet.freeze_panes = "A2"
    book.properties.creator = AUTHOR
    book.properties.created = STAMP.replace(tzinfo=None)
    book.save(out)
    freeze_zip(out)


def _stamp(properties: object, source: Path) -> None:
    """Give a document an author and dates that do not change from build to build."""
    properties.author = properties.last_modified_by = AUTHOR
    properties.title = read_blocks(source)[0].text
    properties.created = properties.modified = STAMP


def freeze_zip(path: Path) -> None:
    """Rewrite an office file with one fixed time for every member and in its own part list.

    The library that wrote it stamps members, and openpyxl the document properties as well,
    with the time of the build.
    """
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _ZIP_STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            stamp = STAMP.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
            archive.writestr(info, _MODIFIED.sub(rb"\g<1>" + stamp, data))
