import io

import pytest
from pypdf import PdfWriter
from pypdf.constants import PageLabelStyle
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from ingest.parse.pdf_structure import Structure, page_texts, read_structure, rewritten
from retrieval.errors import Encrypted
from retrieval.types import Place


class Empty(str):
    """An empty password that pypdf does not take for a missing one."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


def pages(*texts: str) -> PdfWriter:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for text in texts:
        canvas.drawString(60, 700, text)
        canvas.showPage()
    canvas.save()
    return PdfWriter(clone_from=buffer)


def written(writer: PdfWriter) -> bytes:
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def test_place_has_the_label_that_is_printed_on_the_page(parsed):
    writer = pages("Preface", "Thanks", "Chapter", "Tables")
    writer.set_page_label(0, 1, style=PageLabelStyle.LOWERCASE_ROMAN)
    writer.set_page_label(2, 3, style=PageLabelStyle.DECIMAL, start=3)
    document = parsed(written(writer), "a.pdf")
    assert [block.place for block in document.blocks] == [
        Place(first_page=1, last_page=1, first_page_label="i", last_page_label="i"),
        Place(first_page=2, last_page=2, first_page_label="ii", last_page_label="ii"),
        Place(first_page=3, last_page=3),
        Place(first_page=4, last_page=4),
    ]
    whole = Place.over(block.place for block in document.blocks)
    assert whole == Place(first_page=1, last_page=4, first_page_label="i")


def test_pages_without_labels_have_none(parsed):
    content = written(pages("One", "Two"))
    assert read_structure(content) == Structure(title=read_structure(content).title, labels=())
    assert parsed(content, "a.pdf").blocks[0].place == Place(first_page=1, last_page=1)


def test_file_that_opens_with_the_empty_owner_password_is_read(parsed):
    writer = pages("only the owner needs no password")
    writer.encrypt(user_password="secret", owner_password=Empty(), algorithm="AES-256")
    assert parsed(written(writer), "a.pdf").text == "only the owner needs no password"


def test_file_with_two_passwords_is_refused(parsed):
    writer = pages("secret")
    writer.encrypt(user_password="one", owner_password="two", algorithm="AES-256")
    with pytest.raises(Encrypted):
        parsed(written(writer), "a.pdf")


def test_rewritten_copy_needs_no_password(parsed):
    writer = pages("no copying")
    writer.encrypt(user_password="", owner_password="owner", algorithm="AES-256")
    copy = rewritten(written(writer))
    assert copy is not None
    assert b"/Encrypt" not in copy
    assert parsed(copy, "a.pdf").text == "no copying"


def test_second_reader_gives_up_quietly():
    assert rewritten(b"%PDF-1.7 and nothing") is None
    assert read_structure(b"%PDF-1.7 and nothing") == Structure(title=None, labels=())
    assert page_texts(b"%PDF-1.7 and nothing", [1, 2]) == {1: "", 2: ""}


def test_second_reader_reads_the_pages_asked_for():
    content = written(pages("One", "Two"))
    assert page_texts(content, [2]) == {2: "Two\n"}
    assert page_texts(content, []) == {}
    assert page_texts(content, [9]) == {9: ""}
