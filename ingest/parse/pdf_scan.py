"""Pages of a PDF that hold pictures and no text → their lines, recognised."""

from __future__ import annotations

from typing import NamedTuple

import pypdfium2 as pdfium

from ingest.parse import ocr

_SCALE = 150 / 72  # pixels a point: 150 dpi, at which 6-point print still has 12 pixels
_MAX_SIDE = 3_000  # pixels; the recogniser makes larger pages smaller again


class Scan(NamedTuple):
    """A page as it was recognised."""

    seen: ocr.Seen
    scale: float  # pixels a point


def read_scans(pdf: pdfium.PdfDocument, numbers: list[int]) -> dict[int, Scan]:
    """Recognise those of the pages `numbers`, from 1, that are not blank; none without the extra."""
    if not ocr.is_installed():
        return {}
    found = {number: _scan(pdf, number) for number in numbers}
    return {number: scan for number, scan in found.items() if scan and scan.seen.lines}


def _scan(pdf: pdfium.PdfDocument, number: int) -> Scan | None:
    page = pdf[number - 1]
    try:
        if next(page.get_objects(), None) is None:
            return None
        width, height = page.get_size()
        scale = min(_SCALE, _MAX_SIDE / max(width, height))
        bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False)
        pixels = bitmap.to_numpy()[:, :, :3].copy()
        return Scan(ocr.read_page(pixels), scale)
    finally:
        page.close()
