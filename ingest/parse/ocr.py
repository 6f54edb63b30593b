"""Text in pictures: the only module that knows the OCR library, which is an extra.

RapidOCR with the PP-OCRv6 models that its package holds (Latin script, Chinese, Japanese). Nothing
is fetched: the models are given by path, and the process has no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.clean import one_line
from ingest.parse.assemble import Assembler
from ingest.parse.page_begins import page_begins
from ingest.parse.pdf_layout import Part, parts
from ingest.parse.pdf_page import Piece
from retrieval.boxes import Box, PageBoxes
from retrieval.types import Place

PACKAGE = "rapidocr"
_MODELS = "models"  # folder in the package
_NAMES = (("Det", "*det*.onnx"), ("Rec", "*rec*.onnx"), ("Cls", "*cls*.onnx"))
# One core, and one line a run: measured 8.9 s of processor time for a full page of a filing,
# against 16 s with two threads and the six lines at once that are the library's defaults.
_SETTINGS = {
    "Global.log_level": "critical",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Rec.rec_batch_num": 1,
}


class Line(NamedTuple):
    """A line as it was recognised; its box in pixels."""

    text: str
    box: Box


def is_installed() -> bool:
    """Tell whether the extra is there, without loading it."""
    return find_spec(PACKAGE) is not None


def read_page(pixels: NDArray[np.uint8]) -> list[Line]:
    """Recognise the lines of a picture, from top to bottom.

    Args:
        pixels: (height, width, 3), red, green and blue.
    """
    if (begins := page_begins.get()) is not None:
        begins()
    found = _engine()(pixels[:, :, ::-1])  # it wants blue first
    if found.boxes is None or found.txts is None:
        return []
    texts = (one_line(text) for text in found.txts)
    boxes = (_around(corners) for corners in found.boxes)
    return [Line(text, box) for text, box in zip(texts, boxes, strict=True) if text]


@cache
def _engine() -> Any:
    from rapidocr import RapidOCR  # noqa: PLC0415 - an extra, and half a second

    spec = find_spec(PACKAGE)
    folder = Path(str(spec.origin if spec else "")).parent / _MODELS
    paths = {f"{part}.model_path": str(next(folder.glob(name))) for part, name in _NAMES}
    return RapidOCR(params=_SETTINGS | paths)


def _around(corners: NDArray[np.float32]) -> Box:
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return Box(float(left), float(top), float(right), float(bottom))


def add_page(
    assembler: Assembler,
    lines: list[Line],
    *,
    page: int,
    size: tuple[float, float],
    scale: float = 1.0,
    place: Place | None = None,
) -> None:
    """Add recognised lines as paragraphs and rows, each with the boxes of its lines.

    Args:
        assembler: of the document.
        lines: of one page.
        page: its number, from 1.
        size: width and height of the page, in the unit that boxes are wanted in.
        scale: pixels to one such unit.
        place: of the page; by default its number alone.
    """
    where = place or Place(first_page=page, last_page=page)
    for part in parts(list(_pieces(lines))):
        texts, boxes = [], []
        for text, numbers in _rows(part):
            texts.append(text)
            boxes.append(_scaled([lines[number].box for number in numbers], scale))
        drawn = PageBoxes(page, *size, tuple(boxes))
        assembler.add("\n".join(texts), kind=part.kind, place=where, lines=drawn)


def _pieces(lines: list[Line]) -> Iterator[Piece]:
    """Lines as the layout of PDFs takes them: y upwards, `spans` with their numbers."""
    for number, (text, box) in enumerate(lines):
        height = max(box.bottom - box.top, 1.0)
        yield Piece(
            text, box.left, box.right, -box.bottom, height,
            bold=False, order=number, spans=((number, number + 1),),
        )  # fmt: skip


def _rows(part: Part) -> Iterator[tuple[str, list[int]]]:
    """Text of each row, and the numbers of its lines."""
    for row in part.rows:
        is_table = part.kind == "table_row"
        text = " | ".join(cell.text for cell in row.cells) if is_table else row.text
        yield text, [start for piece in row.pieces for start, _ in piece.spans]


def _scaled(boxes: list[Box], scale: float) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    around = min(lefts), min(tops), max(rights), max(bottoms)
    return Box(*(side / scale for side in around))
