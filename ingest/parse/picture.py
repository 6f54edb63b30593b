"""Pictures: scans and photographs of text, and screenshots. Needs the extra for OCR."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ingest.parse import ocr
from ingest.parse.advice import refusal
from ingest.parse.assemble import Assembler
from retrieval.errors import OverBudget, Unreadable
from retrieval.types import Document

if TYPE_CHECKING:
    from PIL import Image

_MAX_PIXELS = 100_000_000  # of one page: three bytes each; A3 at 600 dpi has 70 million
_MAX_FRAMES = 2_000
_NOTHING = "No text was recognised in the picture."
_DAMAGED = "The picture is damaged: open it in an image viewer, save it as PNG and add that."


def read(path: Path, media_type: str) -> Document:
    """Recognise the text of a picture; the pages of a TIFF are its pages.

    Raises:
        UnsupportedFile: the extra is not installed; the message names it.
        NoText, Unreadable, OverBudget: nothing was recognised; it is damaged, or too large.
    """
    if not ocr.is_installed():
        raise refusal(media_type)
    assembler = Assembler(media_type)
    n_pages, unread = 0, []
    for n_pages, pixels in enumerate(_frames(path), start=1):
        seen = ocr.read_page(pixels)
        ocr.add_page(assembler, seen, page=n_pages)
        unread += [] if seen.lines else [n_pages]
    return assembler.document(n_pages=n_pages, unread_pages=tuple(unread), if_empty=_NOTHING)


def _frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Pages as (height, width, 3), upright as the camera noted it.

    Raises:
        Unreadable, OverBudget: it is damaged, or too large.
    """
    from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError  # noqa: PLC0415

    Image.MAX_IMAGE_PIXELS = None  # the limit is ours, and an error of ours
    try:
        with Image.open(path) as image:
            only_first = image.format == "GIF"  # the others are of a film, not of a document
            for number, frame in enumerate(ImageSequence.Iterator(image), start=1):
                if number > _MAX_FRAMES:
                    raise OverBudget("pages in one picture", limit=_MAX_FRAMES)
                if frame.width * frame.height > _MAX_PIXELS:
                    raise OverBudget("pixels in one picture", limit=_MAX_PIXELS)
                yield np.asarray(_on_white(ImageOps.exif_transpose(frame)))
                if only_first:
                    return
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise Unreadable(_DAMAGED) from error


def _on_white(image: Image.Image) -> Image.Image:
    """Without transparency: black text on nothing would be black on black."""
    from PIL import Image  # noqa: PLC0415

    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode in {"I;16", "I", "F"}:
        image = image.point(lambda value: value / 256).convert("L")
    return image.convert("RGB")
