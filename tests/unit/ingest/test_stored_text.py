"""For every format: the text that comes back is the text that was indexed, place by place."""

from __future__ import annotations

import io
import json
from email.message import EmailMessage

import docx
import openpyxl
import pptx
import pytest
from packages import book, compound, old_workbook, open_document
from reportlab.pdfgen.canvas import Canvas
from test_parse_code import SOURCES
from test_parse_doc import word
from test_parse_msg import property_name, wide
from test_parse_ppt import document as slides
from test_parse_ppt import drawn, entry, presentation, slides_list, text

from api.engine import Engine
from api.settings import Settings
from ingest.parse import PARSERS
from ingest.parse.advice import PICTURES

SAID = "The Zürich tower clock strikes at noon."


def pdf() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for line in ("Clocks", SAID):
        canvas.drawString(60, 700, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def saved(made) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def docx_file() -> bytes:
    made = docx.Document()
    made.add_heading("Clocks", 1)
    made.add_paragraph(SAID)
    return saved(made)


def pptx_file() -> bytes:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text = "Clocks"
    slide.placeholders[1].text = SAID
    return saved(made)


def xlsx_file() -> bytes:
    made = openpyxl.Workbook()
    made.active.append(["Place", "Said"])
    made.active.append(["Zürich", SAID])
    return saved(made)


def letter() -> bytes:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = "Clocks", "a@example.org", "b@example.org"
    made.set_content(SAID)
    return made.as_bytes()


NOTEBOOK = {"cells": [{"cell_type": "markdown", "metadata": {}, "source": [SAID]}], "nbformat": 4}
ODF_TEXT = f"<office:text><text:p>{SAID}</text:p></office:text>"
ODF_SHEET = (
    '<office:spreadsheet><table:table table:name="S"><table:table-row><table:table-cell>'
    f"<text:p>{SAID}</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet>"
)
ODF_SLIDES = (
    '<office:presentation><draw:page draw:name="one"><draw:frame><draw:text-box>'
    f"<text:p>{SAID}</text:p></draw:text-box></draw:frame></draw:page></office:presentation>"
)
PPT = {1: slides(slides_list(entry(4, 256))), 4: drawn(0x03EE, text(4, SAID))}

FILES = {
    "a.pdf": pdf(),
    "a.docx": docx_file(),
    "a.pptx": pptx_file(),
    "a.xlsx": xlsx_file(),
    "a.doc": word((SAID + "\r", "cp1252")),
    "a.ppt": presentation(PPT),
    "a.xls": old_workbook([["Place", "Said"], ["Zürich", SAID]]),
    "a.odt": open_document("text", ODF_TEXT),
    "a.ods": open_document("spreadsheet", ODF_SHEET),
    "a.odp": open_document("presentation", ODF_SLIDES),
    "a.epub": book({"one": f"<h1>Clocks</h1><p>{SAID}</p>"}),
    "a.html": f"<html><body><h1>Clocks</h1><p>{SAID}</p></body></html>",
    "a.rtf": r"{\rtf1\ansi\ansicpg1252 The Z\'fcrich tower clock strikes at noon.}",
    "a.eml": letter(),
    "a.msg": compound({property_name("0037"): wide("Clocks"), property_name("1000"): wide(SAID)}),
    "a.md": f"# Clocks\n\n{SAID}\n",
    "a.csv": f"Place,Said\nZürich,{SAID}\n",
    "a.tsv": f"Place\tSaid\nZürich\t{SAID}\n",
    "a.json": json.dumps({"said": SAID}, ensure_ascii=False),
    "a.jsonl": json.dumps({"said": SAID}, ensure_ascii=False) + "\n",
    "a.tex": f"\\section{{Clocks}}\n{SAID}\n",
    "a.yaml": f"said: {SAID}\n",
    "a.toml": f'said = "{SAID}"\n',
    "a.xml": f"<?xml version='1.0'?><said><by>{SAID}</by></said>",
    "a.ipynb": json.dumps(NOTEBOOK, ensure_ascii=False),
    "a.rst": f"Clocks\n======\n\n{SAID}\n",
    "a.adoc": f"= Clocks\n\n{SAID}\n",
    "a.org": f"* Clocks\n\n{SAID}\n",
    "a.txt": f"{SAID}\r\n\r\n".encode("utf-16"),
    "latin.txt": f"{SAID} Grüße aus Zürich, wo die Glocken läuten.\n".encode("latin-1"),
    **{name: f"{source}\n// {SAID}\n" for name, source in SOURCES.items()},
}


# Formats whose text flows: their place is the heading path and the span.
WITHOUT_PLACES = {
    "a.ipynb",
    "a.docx",
    "a.doc",
    "a.odt",
    "a.epub",
    "a.html",
    "a.rtf",
    "a.eml",
    "a.msg",
}
ALL_TYPES = "SELECT DISTINCT media_type FROM documents"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, content in FILES.items():
        raw = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(raw)
    settings = Settings(data=tmp_path_factory.mktemp("data"), embedder="hash")
    with Engine.open(settings=settings) as engine:
        assert engine.add(folder, store="all").failures == ()
        yield engine


@pytest.mark.parametrize("name", FILES)
def test_stored_text_is_what_was_indexed(engine, name):
    own = {"type": "eq", "key": "filename", "value": name}
    hits = engine.find(SAID, store="all", filters=own).hits
    stored = engine.content(hits[0].vector_store_id, hits[0].file_id)
    assert SAID in stored
    assert any(SAID in hit.text for hit in hits)
    blocks = engine.blocks(hits[0].vector_store_id, hits[0].file_id)
    assert "".join(stored.split()) == "".join(
        "".join(stored[block.start_char : block.end_char].split()) for block in blocks
    )
    for hit in hits:
        assert stored[hit.start_char : hit.end_char] == hit.text
        assert hit.place.as_dict() or name in WITHOUT_PLACES


def test_every_format_has_a_file_here(engine):
    with engine.store.read() as view:
        seen = {row[0] for row in view.documents._connection.execute(ALL_TYPES)}
    left = set(PARSERS) - seen - set(PICTURES)
    of_one_reader = ("application/vnd.oasis.", "text/x-", "application/sql")
    assert {kind for kind in left if not kind.startswith(of_one_reader)} == {
        "application/vnd.ms-excel.sheet.binary.macroenabled.12",  # read as XLS is
        "multipart/related",  # read as mail is
    }
