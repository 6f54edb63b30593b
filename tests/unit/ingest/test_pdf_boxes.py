import io
from functools import partial

import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from ingest.boxes import boxes_of, page_spans
from ingest.parse.letters import PageSpan
from ingest.parse.packing import pack, unpack
from ingest.parse.pdf import read
from ingest.parse.pdf_boxes import find_boxes
from retrieval.boxes import Box, PageBoxes, joined
from retrieval.errors import Unreadable
from retrieval.types import Block, Document, Place

WIDTH, HEIGHT = A4


def drawn(*pages: list[tuple[float, float, str]]) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    for page in pages:
        for x, y, text in page:
            canvas.drawString(x, HEIGHT - y, text)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def rewritten(content: bytes, change) -> bytes:
    writer = PdfWriter()
    writer.add_page(PdfReader(io.BytesIO(content)).pages[0])
    change(writer.pages[0])
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _slice(text: str, start: int, end: int) -> str:
    return text[start:end]


@pytest.fixture
def boxes(tmp_path):
    """Boxes of the `nth` time that a text stands in a PDF."""

    def run(content: bytes, text: str, nth: int = 0):
        path = tmp_path / "blob"
        path.write_bytes(content)
        document = read(path, "application/pdf")
        start = -1
        for _ in range(nth + 1):
            start = document.text.index(text, start + 1)
        return boxes_of(
            path,
            blocks=document.blocks,
            text=partial(_slice, document.text),
            span=(start, start + len(text)),
        )

    return run


def test_box_of_a_line_is_where_it_was_drawn(boxes):
    (page,) = boxes(drawn([(60, 100, "before QUOTE after"), (60, 120, "QUOTER")]), "QUOTE after")
    assert (page.page, round(page.width), round(page.height)) == (1, 595, 842)
    (box,) = page.boxes
    left = 60 + stringWidth("before ", "Helvetica", 12)
    assert box.left == pytest.approx(left, abs=2)
    assert box.right == pytest.approx(left + stringWidth("QUOTE after", "Helvetica", 12), abs=2)
    assert 88 < box.top < box.bottom < 104


def test_one_box_a_line_and_parts_on_both_pages(boxes):
    content = drawn(
        [(60, 100, "The quoted sen-"), (60, 115, "tence goes on and on")],
        [(60, 100, "to the very end of it. Not this.")],
    )
    found = boxes(content, "quoted sen-tence goes on and on\n\nto the very end of it.")
    assert [(page.page, len(page.boxes)) for page in found] == [(1, 2), (2, 1)]
    assert found[0].boxes[0].left > 80
    assert found[0].boxes[1].left == pytest.approx(60, abs=2)
    assert found[1].boxes[0].right < 200


def test_text_that_stands_twice_is_drawn_where_it_is_meant(boxes):
    content = drawn([(60, y, "Total of the year") for y in (100, 300, 500)])
    tops = [
        round(boxes(content, "Total of the year", nth)[0].boxes[0].bottom, -1) for nth in range(3)
    ]
    assert tops == [100, 300, 500]


def test_row_of_a_table_has_a_box_for_each_cell(boxes):
    rows = [(60, y, left) for y, left in ((100, "Team"), (115, "Reds"), (130, "Blues"))]
    rows += [(300, y, right) for y, right in ((100, "Cups"), (115, "12"), (130, "7"))]
    (page,) = boxes(drawn(sorted(rows, key=lambda row: row[1])), "Reds | 12")
    assert [round(box.left) for box in page.boxes] == [
        pytest.approx(60, abs=2),
        pytest.approx(301, abs=2),
    ]


@pytest.mark.parametrize(
    ("degrees", "corner"), [(0, (60, 88)), (90, (740, 60)), (180, (420, 740)), (270, (88, 420))]
)
def test_turned_page(boxes, degrees, corner):
    content = drawn([(60, 100, "turned " * 3)])
    (page,) = boxes(rewritten(content, lambda p: p.rotate(degrees)), "turned turned turned")
    for box in page.boxes:
        assert 0 <= box.left < box.right <= page.width
        assert 0 <= box.top < box.bottom <= page.height
    assert len(page.boxes) == 1
    assert (page.boxes[0].left, page.boxes[0].top) == (
        pytest.approx(corner[0], abs=20),
        pytest.approx(corner[1], abs=20),
    )


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_cropped_page_counts_from_what_is_seen_of_it(boxes, degrees):
    def crop(page):
        page.cropbox.lower_left = (40, HEIGHT - 140)
        page.cropbox.upper_right = (240, HEIGHT - 40)
        page.rotate(degrees)

    (page,) = boxes(rewritten(drawn([(60, 100, "cropped")]), crop), "cropped")
    size = (200, 100) if degrees % 180 == 0 else (100, 200)
    assert (page.width, page.height) == (pytest.approx(size[0]), pytest.approx(size[1]))
    (box,) = page.boxes
    near = {0: (20, 50), 90: (40, 20), 180: (140, 40), 270: (50, 140)}[degrees]
    assert (box.left, box.top) == (pytest.approx(near[0], abs=8), pytest.approx(near[1], abs=8))


def test_text_laid_out_by_another_version_is_looked_for(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(drawn([(60, 100, "something"), (60, 200, "elsewhere")]))
    (page,) = find_boxes(path, [PageSpan(1, 3, "elsewhere")])
    assert page.boxes[0].bottom == pytest.approx(200, abs=4)


def test_text_that_is_not_there_has_no_boxes(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(drawn([(60, 100, "something")]))
    assert find_boxes(path, [PageSpan(1, 0, "else")]) == []
    assert find_boxes(path, [PageSpan(9, 0, "something")]) == []
    path.write_bytes(b"%PDF-1.7")
    with pytest.raises(Unreadable):
        find_boxes(path, [PageSpan(1, 0, "x")])


def scanned() -> Document:
    lines = PageBoxes(2, 600, 800, (Box(10, 20, 300, 40), Box(10, 50, 280, 70)))
    place = Place(first_page=2, last_page=2)
    blocks = (
        Block("paragraph", 0, 5, Place(first_page=1, last_page=1)),
        Block("paragraph", 7, 26, place, (), lines),
    )
    return Document("application/pdf", "First\n\nline one\nline twice", blocks)


@pytest.mark.parametrize(
    ("start", "end", "tops"), [(7, 15, [20]), (18, 24, [50]), (12, 20, [20, 50])]
)
def test_lines_of_a_scanned_page_keep_their_boxes(tmp_path, start, end, tops):
    document = unpack(pack(scanned()))
    assert document == scanned()
    text = partial(_slice, document.text)
    assert list(page_spans(document.blocks, text, (start, end))) == []
    missing = tmp_path / "never opened"
    (page,) = boxes_of(missing, blocks=document.blocks, text=text, span=(start, end))
    assert (page.page, [box.top for box in page.boxes]) == (2, tops)


def test_boxes_of_one_page_are_put_together_in_order_of_pages():
    one, two = (PageBoxes(n, 10, 10, (Box(0, n, 1, 2),)) for n in (1, 2))
    assert joined([two, one, two]) == (one, PageBoxes(2, 10, 10, two.boxes * 2))
    assert PageBoxes.from_dict(one.as_dict()) == one
