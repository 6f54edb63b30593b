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
_NAMES = (("Det", "*det*.onnx"), ("Rec", "*rec*.onnx"))
_SURE = 0.8  # mean score of lines that were read the right way up; the wrong way gives 0.5 to 0.7
# One core, and one line a run: measured 8.9 s of processor time for a full page of a filing,
# against 16 s with two threads and the six lines at once that are the library's defaults.
# Without the classifier of directions: it turns long lines of plain print upside down.
_SETTINGS = {
    "Global.log_level": "critical",
    "Global.use_cls": False,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Rec.rec_batch_num": 1,
}


class Line(NamedTuple):
    """A line as it was recognised; its box in pixels of the picture as it was read."""

    text: str
    box: Box


class Seen(NamedTuple):
    """What was recognised in a picture."""

    lines: list[Line]  # from top to bottom
    width: int  # of the picture as it was given, in pixels
    height: int
    turn: int = 0  # quarter turns, counter-clockwise, after which it was read
    score: float = 1.0  # mean over the lines, 0 to 1

    def as_given(self, box: Box) -> Box:
        """A box in the picture as it was given."""
        left, top, right, bottom = box
        if self.turn == 1:
            return Box(self.width - bottom, left, self.width - top, right)
        if self.turn == 2:  # noqa: PLR2004 - quarter turns
            return Box(
                self.width - right, self.height - bottom, self.width - left, self.height - top
            )
        return Box(top, self.height - right, bottom, self.height - left) if self.turn else box


def is_installed() -> bool:
    """Tell whether the extra is there, without loading it."""
    return find_spec(PACKAGE) is not None


def read_page(pixels: NDArray[np.uint8]) -> Seen:
    """Recognise the lines of a picture; turn it where they make no sense as it is.

    Args:
        pixels: (height, width, 3), red, green and blue.
    """
    best = _read(pixels, turn=0)
    turns: tuple[int, ...] = (2, 1, 3) if best.lines and best.score < _SURE else ()
    if _is_sideways(best):  # its lines may be right, but not their order
        best, turns = best._replace(score=0.0), (1, 3)
    for turn in turns:
        other = _read(pixels, turn=turn)
        best = max(best, other, key=lambda seen: (bool(seen.lines), seen.score))
        if best.score >= _SURE:
            break
    return best


def _is_sideways(seen: Seen) -> bool:
    tall = sum(box.bottom - box.top > 2 * (box.right - box.left) for _, box in seen.lines)
    return 2 * tall > len(seen.lines)


def _read(pixels: NDArray[np.uint8], *, turn: int) -> Seen:
    if (begins := page_begins.get()) is not None:
        begins()
    height, width = pixels.shape[:2]
    turned = np.ascontiguousarray(np.rot90(pixels, turn)[:, :, ::-1])  # it wants blue first
    found = _engine()(turned)
    if found.boxes is None or found.txts is None:
        return Seen([], width, height, turn, 0.0)
    texts = (one_line(text) for text in found.txts)
    boxes = (_around(corners) for corners in found.boxes)
    lines = [Line(text, box) for text, box in zip(texts, boxes, strict=True) if text]
    return Seen(lines, width, height, turn, float(np.mean(found.scores)))


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
    assembler: Assembler, seen: Seen, *, page: int, scale: float = 1.0, place: Place | None = None
) -> None:
    """Add recognised lines as paragraphs and rows, each with the boxes of its lines.

    Args:
        assembler: of the document.
        seen: what was recognised on the page.
        page: its number, from 1.
        scale: pixels to one of the units that boxes are wanted in.
        place: of the page; by default its number alone.
    """
    where = place or Place(first_page=page, last_page=page)
    for part in parts(list(_pieces(seen.lines))):
        texts, boxes = [], []
        for text, numbers in _rows(part):
            texts.append(text)
            given = [seen.as_given(seen.lines[number].box) for number in numbers]
            boxes.append(_scaled(given, scale))
        drawn = PageBoxes(page, seen.width / scale, seen.height / scale, tuple(boxes))
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
