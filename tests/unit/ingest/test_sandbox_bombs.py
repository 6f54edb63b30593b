"""Files made to exhaust their reader: each costs one failure, or is read, and soon either way."""

import io
import time
import zlib

import pytest
from packages import book, compound, open_document, zipped
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from ingest.parse import archive
from ingest.sandbox import Limits, Sandbox
from retrieval.errors import FileFailed, OverBudget
from retrieval.types import Document

DEEP = 100_000
LIMITS = Limits(seconds=20, memory_bytes=1 << 30, text_chars=20_000_000)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as open_sandbox:
        yield open_sandbox


@pytest.fixture
def outcome(sandbox, tmp_path):
    """Parses content in the sandbox: a document or the failure, within the limits."""

    def run(content: bytes, filename: str) -> Document | FileFailed:
        path = tmp_path / "blob"
        path.write_bytes(content)
        started = time.monotonic()
        try:
            return sandbox.parse(path, filename=filename, limits=LIMITS)
        except FileFailed as error:
            return error
        finally:
            assert time.monotonic() - started < LIMITS.seconds + 5

    return run


def nested_parts(depth: int) -> bytes:
    parts = (
        b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1)
        for n in range(depth)
    )
    head = (
        b"Subject: x\nFrom: y\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b0\n\n"
    )
    return head + b"".join(parts) + b"--b%d\n\ntext" % depth


def laughs(root: str) -> str:
    """Entities made of ten of the one before: 10^11 characters if they were expanded."""
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE d [<!ENTITY a0 "lol">{entities}]>{root}'


def quadratic(root: str) -> str:
    return f'<!DOCTYPE d [<!ENTITY a0 "{"x" * 100_000}">]>' + root.replace(
        "&a11;", "&a0;" * 50_000
    )


DEEP_FILES = {
    "a.json": b"[" * DEEP + b"]" * DEEP,
    "a.jsonl": b"[" * DEEP + b"]" * DEEP,
    "a.ipynb": b'{"cells":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a.xml": b"<a>" * DEEP + b"text" + b"</a>" * DEEP,
    "a.html": b"<div>" * DEEP + b"text",
    "a.md": b"> " * DEEP + b"text",
    "a.yaml": b"a: " + b"[" * DEEP,
    "a.tex": b"{" * DEEP + b"text",
    "a.rtf": rb"{\rtf1" + b"{" * DEEP + b"text",
    "a.eml": nested_parts(3000),
    "a.odt": open_document("text", "<office:text>" + "<text:section>" * DEEP + "text"),
    "a.docx": zipped({"word/document.xml": "<document><body>" + "<x>" * DEEP + "text"}),
    "a.pptx": zipped({"ppt/presentation.xml": "<presentation>" + "<x>" * DEEP + "text"}),
    "a.xlsx": zipped({"xl/workbook.xml": "<workbook>" + "<x>" * DEEP + "text"}),
    "a.epub": book({"one": "<div>" * DEEP + "text"}),
}


@pytest.mark.parametrize("name", DEEP_FILES)
def test_deep_nesting_is_read_or_costs_one_failure(outcome, name):
    ended = outcome(DEEP_FILES[name], name)
    if isinstance(ended, FileFailed):
        assert "crash" not in str(ended)
    else:
        assert ended.text.strip()


def test_endless_recursion_is_named(outcome):
    ended = outcome(DEEP_FILES["a.eml"], "a.eml")
    assert isinstance(ended, OverBudget)
    assert ended.what == "levels of nesting"


@pytest.mark.parametrize("bomb", [laughs, quadratic])
def test_entities_are_not_expanded(outcome, bomb):
    root = "<document><body><p><r><t>own &a11;</t></r></p></body></document>"
    for content, name in [
        (bomb(root).encode(), "a.xml"),
        (zipped({"word/document.xml": bomb(root)}), "a.docx"),
        (zipped({"mimetype": "application/vnd.oasis.opendocument.text",
                 "content.xml": bomb("<d><body><text><p>own &a11;</p></text></body></d>")}), "a.odt"),
        (book({"one": "x"}, **{"OPS/one.xhtml": bomb("<html><body>own &a11;</body></html>")}), "a.epub"),
    ]:  # fmt: skip
        ended = outcome(content, name)
        if isinstance(ended, Document):
            assert len(ended.text) < 2 * len(bomb(root))
        else:
            assert "crash" not in str(ended)


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("a.docx", "word/document.xml"),
        ("a.xlsx", "xl/workbook.xml"),
        ("a.epub", "META-INF/container.xml"),
        ("a.odt", "content.xml"),
    ],
)
def test_zip_bomb_is_refused_before_it_is_unpacked(outcome, name, member):
    content = zipped({"mimetype": mimetype(name), member: b" " * (140 << 20)})
    ended = outcome(content, name)
    assert isinstance(ended, OverBudget)
    assert ended.what == "times the packed size"


def mimetype(name: str) -> str:
    return "application/vnd.oasis.opendocument.text" if name == "a.odt" else "x"


def test_limits_of_a_package(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a": "12345", "b": "12345"}))
    archive.check(path)
    for limit, value, what in [
        ("_MAX_MEMBERS", 1, "files in one package"),
        ("_MAX_MEMBER_BYTES", 4, "bytes unpacked from one part"),
        ("_MAX_BYTES", 9, "bytes unpacked"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(archive, limit, value)
            with pytest.raises(OverBudget) as caught:
                archive.check(path)
            assert caught.value.what == what


def test_member_that_unpacks_to_more_than_it_states_is_damage(outcome):
    content = zipped({"word/document.xml": b"<d>" + b" " * 1_000_000})
    true, stated = (1_000_003).to_bytes(4, "little"), (10).to_bytes(4, "little")
    ended = outcome(content.replace(true, stated), "a.docx")
    assert isinstance(ended, FileFailed)


def pdf_of(stream: bytes, *, extra: bytes = b"") -> bytes:
    """One page with a content stream as it is; without a table of objects, which readers rebuild."""
    return (
        b"%%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources"
        b"<</Font<</F 5 0 R>>/XObject<</X 6 0 R>>>>>>endobj\n"
        b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream endobj\n"
        b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n%s"
        b"trailer<</Root 1 0 R>>\n%%%%EOF" % (len(stream), stream, extra)
    )


def test_pdf_bomb_ends_within_the_limits(outcome):
    line = b"BT /F 12 Tf 50 700 Td (text) Tj ET\n"
    packed = zlib.compress(line + b" " * (300 << 20), 9)
    assert isinstance(outcome(pdf_of(packed), "a.pdf"), Document | FileFailed)
    twice = zlib.compress(zlib.compress(line * 3_000_000, 9), 9)
    content = pdf_of(twice).replace(b"/Filter/FlateDecode", b"/Filter[/FlateDecode/FlateDecode]")
    assert isinstance(outcome(content, "a.pdf"), Document | FileFailed)


def test_pdf_that_draws_itself_ends(outcome):
    form = (
        b"6 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>"
        b"/Length 5>>stream\n/X Do\nendstream endobj\n"
    )
    assert isinstance(outcome(pdf_of(zlib.compress(b"/X Do"), extra=form), "a.pdf"), FileFailed)


def test_pdf_of_ten_thousand_pages_is_read(outcome):
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawString(60, 700, "one of many")
    canvas.save()
    writer = PdfWriter()
    page = PdfReader(buffer).pages[0]
    for _ in range(10_000):
        writer.add_page(page)
    many = io.BytesIO()
    writer.write(many)
    ended = outcome(many.getvalue(), "a.pdf")
    assert isinstance(ended, Document)
    assert ended.n_pages == 10_000
    assert ended.blocks[-1].place.last_page == 10_000


def test_compound_files_that_lie_about_themselves_end(outcome):
    content = bytearray(compound({"Workbook": b"x" * 5000, "__substg1.0_0037001F": b"x"}))
    fat = len(content) - 512
    content[fat : fat + 4] = (0).to_bytes(4, "little")  # the first sector follows itself
    for name in ("a.xls", "a.msg"):
        assert isinstance(outcome(bytes(content), name), FileFailed)
