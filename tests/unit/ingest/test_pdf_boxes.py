import io

import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from ingest.parse.pdf_boxes import find_boxes
from retrieval.errors import Unreadable

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


@pytest.fixture
def boxes(tmp_path):
    def run(content: bytes, text: str, first: int = 1, last: int = 1):
        path = tmp_path / "blob"
        path.write_bytes(content)
        return find_boxes(path, text, first_page=first, last_page=last)

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
    found = boxes(content, "quoted sentence goes on and on to the very end of it.", 1, 2)
    assert [(page.page, len(page.boxes)) for page in found] == [(1, 2), (2, 1)]
    assert found[0].boxes[0].left > 80
    assert found[0].boxes[1].left == pytest.approx(60, abs=2)
    assert found[1].boxes[0].right < 200


def test_lines_of_the_text_may_stand_in_another_order(boxes):
    content = drawn([(60, 100, "Second line"), (60, 300, "First line")])
    (page,) = boxes(content, "First line\n\nSecond line")
    assert [round(box.bottom, -2) for box in page.boxes] == [300, 100]


def test_row_of_a_table_is_found_without_its_bars(boxes):
    (page,) = boxes(drawn([(60, 100, "Team"), (300, 100, "Cups")]), "Team | Cups")
    assert [round(box.left) for box in page.boxes] == [
        pytest.approx(60, abs=2),
        pytest.approx(301, abs=2),
    ]


@pytest.mark.parametrize(
    ("degrees", "corner"),
    [(90, (740, 60)), (180, (420, 740)), (270, (88, 420))],
)
def test_turned_page(boxes, degrees, corner):
    writer = PdfWriter()
    writer.add_page(PdfReader(io.BytesIO(drawn([(60, 100, "turned " * 3)]))).pages[0])
    writer.pages[0].rotate(degrees)
    turned = io.BytesIO()
    writer.write(turned)
    (page,) = boxes(turned.getvalue(), "turned turned turned")
    for box in page.boxes:
        assert 0 <= box.left < box.right <= page.width
        assert 0 <= box.top < box.bottom <= page.height
    assert (min(box.left for box in page.boxes), min(box.top for box in page.boxes)) == (
        pytest.approx(corner[0], abs=20),
        pytest.approx(corner[1], abs=20),
    )


def test_text_that_is_not_there_has_no_boxes(boxes):
    assert boxes(drawn([(60, 100, "something")]), "else") == []
    assert boxes(drawn([(60, 100, "something")]), "something", 5, 9) == []
    with pytest.raises(Unreadable):
        boxes(b"%PDF-1.7", "x")
