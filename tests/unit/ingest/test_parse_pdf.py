import io
import re

import pytest
from document_checks import outline
from PIL import Image
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    PageTemplate,
    Paragraph,
    SimpleDocTemplate,
    Table,
    TableStyle,
)

from ingest.parse.pdf_layout import join_lines
from ingest.parse.pdf_page import Piece, _cut, _Word
from retrieval.errors import Encrypted, FileFailed, NoText, Unreadable
from retrieval.types import Place

STYLES = getSampleStyleSheet()
WORDS = "the quick brown fox jumps over the lazy dog and then sleeps in the warm sun".split()  # noqa: SIM905


def prose(seed: int, n_words: int = 90) -> str:
    """Sentences that differ by seed; every tenth word is a number of its own."""
    words = [
        f"{seed}x{n}" if n % 10 == 0 else WORDS[(seed * 7 + n * 3) % len(WORDS)]
        for n in range(n_words)
    ]
    return " ".join(words).capitalize() + "."


def canvas_pages(*pages: list[tuple[float, float, str]], size: int = 11, **options) -> bytes:
    """Pages of text drawn at exact places, y from the top."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, **options)
    for page in pages:
        canvas.setFont("Helvetica", size)
        for x, y, text in page:
            canvas.drawString(x, A4[1] - y, text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def test_paragraphs_headings_and_pages(parsed):
    buffer = io.BytesIO()
    flow = [
        Paragraph("The Fox Report", STYLES["Title"]),
        Paragraph("Morning", STYLES["Heading1"]),
        Paragraph(prose(1), STYLES["Normal"]),
        Paragraph(prose(2), STYLES["Normal"]),
        Paragraph("Evening", STYLES["Heading1"]),
        Paragraph("Before dusk", STYLES["Heading2"]),
        *[Paragraph(prose(n, 120), STYLES["Normal"]) for n in range(3, 13)],
    ]
    SimpleDocTemplate(buffer, title="Foxes").build(flow)
    document = parsed(buffer.getvalue(), "fox.pdf")
    assert document.title == "Foxes"
    assert document.n_pages == 2
    blocks = outline(document)
    assert blocks[:6] == [
        ("heading", "The Fox Report"),
        ("heading", "Morning"),
        ("paragraph", prose(1)),
        ("paragraph", prose(2)),
        ("heading", "Evening"),
        ("heading", "Before dusk"),
    ]
    assert document.blocks[3].heading_path == ("Morning",)  # its style is as large as the title's
    assert document.blocks[6].heading_path == ("Evening", "Before dusk")
    assert {block.place for block in document.blocks} == {
        Place(first_page=1, last_page=1),
        Place(first_page=2, last_page=2),
    }
    whole = " ".join(text for _, text in blocks)
    assert all(prose(n, 120) in whole for n in range(3, 13))


def test_two_columns_drawn_one_after_the_other_read_in_order(parsed):
    buffer = io.BytesIO()
    frames = [Frame(60, 60, 230, 720), Frame(310, 60, 230, 720)]
    template = BaseDocTemplate(buffer, pageTemplates=[PageTemplate(frames=frames)])
    texts = [prose(n, 130) for n in range(8)]
    template.build([Paragraph(text, STYLES["Normal"]) for text in texts])
    document = parsed(buffer.getvalue(), "columns.pdf")
    whole = " ".join(text for _, text in outline(document))
    assert whole == " ".join(texts)


def test_two_columns_drawn_row_by_row_read_column_by_column(parsed):
    left = [f"left line {n} goes on with some more words" for n in range(12)]
    right = [f"right line {n} goes on with some more words" for n in range(12)]
    page = [(60, 60, "A heading across both of the columns of this page, and rather long too")]
    for n in range(12):
        page += [(60, 100 + 14 * n, left[n]), (320, 100 + 14 * n, right[n])]
    text = parsed(canvas_pages(page), "rows.pdf").text
    at = [text.index(line) for line in left + right]
    assert at == sorted(at)


def test_table_is_a_block_a_row_with_its_cells(parsed):
    rows = [
        ["Region", "2022", "2021"],
        ["North", "1,200", "1,100"],
        ["South and the islands", "$ 7", "$ 9"],
    ]
    buffer = io.BytesIO()
    table = Table(rows, colWidths=[200, 80, 80])
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]))
    SimpleDocTemplate(buffer).build(
        [Paragraph(prose(1), STYLES["Normal"]), table, Paragraph(prose(2), STYLES["Normal"])]
    )
    assert outline(parsed(buffer.getvalue(), "table.pdf")) == [
        ("paragraph", prose(1)),
        ("table_row", "Region | 2022 | 2021"),
        ("table_row", "North | 1,200 | 1,100"),
        ("table_row", "South and the islands | $ 7 | $ 9"),
        ("paragraph", prose(2)),
    ]


def test_currency_sign_in_a_column_of_its_own_goes_with_its_number(parsed):
    page = [
        (60, 100, "Cash"), (250, 100, "$"), (300, 100, "1,200"), (350, 100, "$"), (400, 100, "9"),
        (60, 114, "Loans"), (300, 114, "1,100"), (400, 114, "8"),
    ]  # fmt: skip
    assert outline(parsed(canvas_pages(page), "a.pdf")) == [
        ("table_row", "Cash | $ 1,200 | $ 9"),
        ("table_row", "Loans | 1,100 | 8"),
    ]


def test_running_headers_and_page_numbers_are_set_apart(parsed):
    pages = [
        [
            (60, 40, "Annual report of the fox"),
            (60, 100, f"The {WORDS[n]} fox of page {n} is here and"),
            (60, 114, f"goes on with number {n} here."),
            (290, 800, str(n)),
        ]
        for n in range(1, 5)
    ]
    document = parsed(canvas_pages(*pages), "a.pdf")
    assert outline(document)[:3] == [
        ("other", "Annual report of the fox"),
        ("paragraph", "The quick fox of page 1 is here and goes on with number 1 here."),
        ("other", "1"),
    ]
    assert [block.kind for block in document.blocks].count("other") == 8


def test_list_items_are_blocks_and_keep_their_wrapped_lines(parsed):
    page = [
        (60, 100, "Bring these:"),
        (60, 120, "•"), (80, 120, "a rope that is long enough to reach from the top of the wall down to"),
        (80, 134, "the ground, and"),
        (60, 148, "•"), (80, 148, "gloves."),
    ]  # fmt: skip
    assert outline(parsed(canvas_pages(page), "a.pdf")) == [
        ("paragraph", "Bring these:"),
        (
            "list_item",
            "• a rope that is long enough to reach from the top of the wall down to the ground, and",
        ),
        ("list_item", "• gloves."),
    ]


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["one", "two"], "one two"),
        (["well-", "known"], "well-known"),
        (["from 5 -", "10"], "from 5 - 10"),
        (["1990-", "1995"], "1990- 1995"),
    ],
)
def test_lines_join_with_a_blank_and_after_a_hyphen_without(lines, joined):
    assert join_lines(lines) == joined


def test_bookmarks_make_headings_of_plain_lines(parsed):
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for key, title, level in [("a", "Part one", 0), ("b", "First steps", 1)]:
        canvas.bookmarkPage(key)
        canvas.addOutlineEntry(title, key, level)
    for y, text in [(100, "Part one"), (140, "1. First steps"), (180, "Begin by walking.")]:
        canvas.drawString(60, A4[1] - y, text)
    canvas.save()
    document = parsed(buffer.getvalue(), "a.pdf")
    assert outline(document)[:2] == [("heading", "Part one"), ("heading", "1. First steps")]
    assert document.blocks[2].heading_path == ("Part one", "1. First steps")


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_page_that_stands_sideways_reads_like_any_other(parsed, degrees):
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    canvas.translate(300, 400)
    canvas.rotate(degrees)
    for row in range(4):
        canvas.drawString(-150, -14 * row, f"Row {row}")
        canvas.drawString(50, -14 * row, f"{row}00")
    canvas.save()
    assert outline(parsed(buffer.getvalue(), "a.pdf")) == [
        ("table_row", f"Row {row} | {row}00") for row in range(4)
    ]


def test_characters_beyond_the_basic_plane_do_not_shift_what_follows(parsed):
    # reportlab's standard fonts lack them: what counts is that words stay whole and in order.
    document = parsed(canvas_pages([(60, 100, "alpha beta"), (60, 130, "gamma")]), "a.pdf")
    assert document.text.split() == ["alpha", "beta", "gamma"]


def test_piece_of_nothing_but_unusable_characters_is_no_piece():
    look = Piece("", 0.0, 0.0, 0.0, 10.0, bold=False, order=0)
    words = [_Word(0, 1, 0.0, 5.0), _Word(2, 3, 50.0, 55.0)]
    assert [piece.text for piece in _cut(re.match(".*", "\x01 b"), words, 10.0, look)] == ["b"]


def test_file_with_a_password_is_refused(parsed):
    content = canvas_pages([(60, 100, "secret")], encrypt=StandardEncryption("pw", canPrint=0))
    with pytest.raises(Encrypted, match="without one"):
        parsed(content, "a.pdf")


def test_file_that_opens_with_the_empty_password_is_read(parsed):
    content = canvas_pages([(60, 100, "no copying")], encrypt=StandardEncryption("", "owner"))
    assert parsed(content, "a.pdf").text == "no copying"


def scan() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    canvas.drawImage(ImageReader(Image.new("RGB", (40, 40), "white")), 0, 0)
    canvas.save()
    return buffer.getvalue()


def test_scan_is_told_to_be_one(parsed):
    with pytest.raises(NoText, match="There is no text in the PDF"):
        parsed(scan(), "a.pdf")


def test_pages_without_text_are_counted(parsed):
    document = parsed(canvas_pages([(60, 100, "one")], [], [(60, 100, "three")]), "a.pdf")
    assert (document.n_pages, document.unread_pages) == (3, (2,))
    assert document.blocks[-1].place == Place(first_page=3, last_page=3)


def test_bytes_that_only_begin_like_a_pdf_are_unreadable(parsed):
    with pytest.raises(Unreadable, match="save it to a new PDF"):
        parsed(b"%PDF-1.7\n" + b"nothing else " * 50, "a.pdf")


def test_damaged_bytes_fail_cleanly_or_lose_little(parsed):
    content = canvas_pages([(60, 100 + 14 * n, f"line {n}") for n in range(30)])
    for at in range(20, len(content), len(content) // 40):
        damaged = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        try:
            parsed(damaged, "a.pdf")
        except FileFailed as error:
            assert str(error)  # noqa: PT017 - that it is this class is what is tested
