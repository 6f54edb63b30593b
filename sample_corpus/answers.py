"""Where the answers stand: the text of every file, and `python sample_corpus/answers.py`.

Run as a script it writes the pages of the answers into `judgments.jsonl` anew, which is
needed after the handbook has been changed and built. It is a reader of its own, so that
the judgments do not depend on the parsers that they are used to measure.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from typing import Any

import openpyxl
import pypdfium2
from docx import Document
from pptx import Presentation

HERE = Path(__file__).parent
FILES = HERE / "files"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def squash(text: str) -> str:
    """Drop white space and pipes, on which readers of the same table differ."""
    return re.sub(r"[\s|]+", "", text)


def pages_of(path: Path) -> list[str]:
    """Return the text of a file by page or slide; one entry for a file that has neither."""
    match path.suffix:
        case ".pdf":
            with pypdfium2.PdfDocument(path) as pdf:
                return [page.get_textpage().get_text_range() for page in pdf]
        case ".pptx":
            return ["\n".join(_slide(slide)) for slide in Presentation(str(path)).slides]
        case ".docx":
            document = Document(str(path))
            rows = chain.from_iterable(records(_rows(table)) for table in document.tables)
            return ["\n".join(chain((p.text for p in document.paragraphs), rows))]
        case ".xlsx":
            book = openpyxl.load_workbook(path, read_only=True)
            return ["\n".join(records(sheet.iter_rows(values_only=True))) for sheet in book]
        case _:
            return [_text(path)]


def _text(path: Path) -> str:
    """Return the text of a file that is text itself."""
    raw = path.read_bytes()
    text = raw.decode("latin-1" if path.stem.endswith("latin1") else "utf-8")
    match path.suffix:
        case ".csv":
            return "\n".join(records(csv.reader(io.StringIO(text))))
        case ".jsonl":
            lines = (json.loads(line) for line in text.splitlines())
            return "\n".join("; ".join(f"{k}: {v}" for k, v in line.items()) for line in lines)
        case ".html":
            page = _Page()
            page.feed(text)
            return "\n".join(chain(page.texts, *(records(rows) for rows in page.tables)))
        case _:
            return text


def records(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Render table rows as "Header: value; Header: value", without empty cells."""
    head, *rest = (list(row) for row in rows)
    for row in rest:
        pairs = zip(head, row, strict=True)
        yield "; ".join(f"{name}: {value}" for name, value in pairs if value not in {"", None})


def _rows(table: Any) -> Iterator[list[str]]:
    """Read the cells of a DOCX or PPTX table."""
    return ([cell.text for cell in row.cells] for row in table.rows)


def _slide(slide: Any) -> Iterator[str]:
    """Read the text and the table rows of a slide."""
    for shape in slide.shapes:
        if shape.has_text_frame:
            yield shape.text_frame.text
        if shape.has_table:
            yield from records(_rows(shape.table))


class _Page(HTMLParser):
    """Collect the texts of an HTML page and the cells of its tables."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tables: list[list[list[str]]] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        self._in_cell = tag in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self._in_cell and data.strip():
            self.tables[-1][-1].append(data)
        else:
            self.texts.append(data)


def page_of(answer: str, path: Path) -> int:
    """Return the one page (from 1) of a file that holds the answer.

    Raises:
        ValueError: no page holds it, as when it runs over a page break, or several do.
    """
    pages = [n for n, text in enumerate(pages_of(path), start=1) if squash(answer) in squash(text)]
    if len(pages) != 1:
        raise ValueError(f"{path.name}: the answer stands on pages {pages}: {answer}")
    return pages[0]


def renew_pages(judgments: Path) -> None:
    """Write the current page of each answer in a PDF into the file of judgments."""
    lines = read_lines(judgments)
    for line in lines:
        if line["answer"] and line["file"].endswith(".pdf"):
            line["page"] = page_of(line["answer"], FILES / line["file"])
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    judgments.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    renew_pages(HERE / "judgments.jsonl")
