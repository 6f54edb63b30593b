"""Text in pictures and scans: with the extra where it is installed, and what is said without it."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
import pytest
from document_checks import check_invariants
from PIL import Image, ImageDraw, ImageFont

from ingest.boxes import boxes_of
from ingest.parse import ocr, parse
from ingest.parse.advice import PICTURES, refusal
from ingest.parse.assemble import Assembler
from ingest.parse.ocr import Line, Seen
from ingest.sandbox import Sandbox
from retrieval.boxes import Box
from retrieval.errors import FileFailed, NoText, Unreadable, UnsupportedFile

with_extra = pytest.mark.skipif(not ocr.is_installed(), reason="the extra 'ocr' is not installed")
without_extra = pytest.mark.skipif(ocr.is_installed(), reason="the extra 'ocr' is installed")
INSTALL = "pip install 'sourcebook[ocr]'"
LINES = ("Quarterly report", "Sales rose by 12 percent", "Costs fell to 340 million")


def page(lines=LINES, *, size=(900, 400)) -> Image.Image:
    image = Image.new("L", size, "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((60, 50 + 90 * number), line, fill="black", font=ImageFont.load_default(size=40))
    return image


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path):
    def write(content: bytes):
        path = tmp_path / "blob"
        path.write_bytes(content)
        return path

    return write


# --- always -----------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", PICTURES)
def test_picture_without_the_extra_names_it(media_type):
    assert isinstance(refusal(media_type), UnsupportedFile)
    assert INSTALL in str(refusal(media_type))


def test_picture_of_another_kind_says_what_to_save_it_as():
    assert "PNG, JPEG or PDF" in str(refusal("image/heic"))


def test_lines_become_paragraphs_and_rows_with_their_boxes():
    lines = [
        Line("Sales rose again and", Box(100, 100, 500, 120)),
        Line("costs fell.", Box(100, 124, 300, 144)),
        *(
            Line(text, Box(left, top, left + 80, top + 20))
            for top, row in (
                (240, ("Year", "Sales")),
                (270, ("2023", "81")),
                (300, ("2024", "90")),
            )
            for left, text in zip((100, 400), row, strict=True)
        ),
    ]
    assembler = Assembler("image/png")
    ocr.add_page(assembler, Seen(lines, 600, 800), page=3, scale=2.0)
    document = assembler.document()
    check_invariants(document)
    assert document.text == (
        "Sales rose again and\ncosts fell.\n\nYear | Sales\n2023 | 81\n2024 | 90"
    )
    first, *rows = document.blocks
    assert (first.place.first_page, first.lines.page, first.lines.width) == (3, 3, 300.0)
    assert first.lines.boxes == (Box(50, 50, 250, 60), Box(50, 62, 150, 72))
    assert rows[1].lines.boxes == (Box(50, 135, 240, 145),)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_boxes_are_those_of_the_picture_as_it_was_given(turn):
    width, height = 60, 40
    pixels = np.zeros((height, width, 1), np.uint8)
    pixels[5:9, 20:33] = 1
    turned = np.argwhere(np.rot90(pixels, turn)[:, :, 0])
    (top, left), (bottom, right) = turned.min(axis=0), turned.max(axis=0) + 1
    assert Seen([], width, height, turn).as_given(Box(left, top, right, bottom)) == (20, 5, 33, 9)


@without_extra
@pytest.mark.parametrize("kind", ["PNG", "PDF"])
def test_scan_without_the_extra_fails_and_names_it(file, kind):
    with pytest.raises(UnsupportedFile if kind == "PNG" else NoText) as caught:
        parse(file(saved(page(), kind)), filename="scan")
    assert INSTALL in str(caught.value)


# --- with the extra ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as sandbox:
        yield sandbox


def flat(text: str) -> str:
    return " ".join(text.split())


@with_extra
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PDF"])
def test_text_of_a_scan_is_read_with_its_boxes(file, sandbox, kind):
    path = file(saved(page(), kind))
    document = sandbox.parse(path, filename="scan")
    check_invariants(document)
    assert flat(document.text) == flat(" ".join(LINES))
    start = document.text.index(LINES[1])
    (found,) = boxes_of(
        path,
        blocks=document.blocks,
        text=partial(lambda text, start, end: text[start:end], document.text),
        span=(start, start + len(LINES[1])),
    )
    assert (found.page, round(found.width / found.height, 2)) == (1, 2.25)
    (box,) = found.boxes
    assert box.left / found.width == pytest.approx(60 / 900, abs=0.02)
    assert box.top / found.height == pytest.approx(150 / 400, abs=0.04)


@with_extra
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_scan_is_read_the_right_way_up(file, sandbox, degrees):
    image = page().rotate(degrees, expand=True)
    document = sandbox.parse(file(saved(image, "PNG")), filename="scan.png")
    assert flat(document.text) == flat(" ".join(LINES))
    drawn = document.blocks[0].lines
    assert (drawn.width, drawn.height) == image.size
    left, top, right, bottom = (round(side) for side in drawn.boxes[0])
    shown = np.asarray(image)[top : bottom + 1, left : right + 1]
    assert shown.min() == 0  # ink
    assert (right - left > bottom - top) == (degrees == 180)


@with_extra
def test_only_pages_without_text_are_recognised_and_keep_their_numbers(file, sandbox):
    pages = [page((f"This is page {word}",)) for word in ("one", "two")]
    content = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    document = sandbox.parse(file(content), filename="fax.tif")
    assert [block.place.first_page for block in document.blocks] == [1, 2]
    assert document.n_pages == 2


@with_extra
def test_picture_without_text_and_damaged_one_fail(file, sandbox):
    with pytest.raises(NoText):
        sandbox.parse(file(saved(Image.new("L", (300, 300), "white"), "PNG")), filename="white")
    with pytest.raises(Unreadable):
        sandbox.parse(file(saved(page(), "PNG")[:400]), filename="cut.png")


@with_extra
def test_bomb_of_pixels_fails(file, sandbox):
    content = saved(Image.new("1", (20_000, 20_000)), "PNG")
    with pytest.raises(FileFailed):
        sandbox.parse(file(content), filename="bomb.png")
