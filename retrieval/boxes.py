"""Where on a page a text stands, as rectangles to draw over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_DIGITS = 2  # of a point: a hundredth is finer than any screen


class Box(NamedTuple):
    """A rectangle on a page, in the page's units from its left and top edges as it is shown."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class PageBoxes:
    """Boxes of a text on one page, one a line, and the page's size.

    Units are points (1/72 inch) for PDFs and pixels for pictures.
    """

    page: int  # from 1
    width: float
    height: float
    boxes: tuple[Box, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; a box is a list of left, top, right and bottom."""
        return {
            "page": self.page,
            "width": round(self.width, _DIGITS),
            "height": round(self.height, _DIGITS),
            "boxes": [[round(side, _DIGITS) for side in box] for box in self.boxes],
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> PageBoxes:
        """What `as_dict` was made from, rounded.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        boxes = tuple(Box(*map(float, box)) for box in plain["boxes"])
        return cls(int(plain["page"]), float(plain["width"]), float(plain["height"]), boxes)


def joined(pages: Sequence[PageBoxes]) -> tuple[PageBoxes, ...]:
    """Boxes with those of one page put together, pages in order."""
    found: dict[int, PageBoxes] = {}
    for page in pages:
        before = found[page.page].boxes if page.page in found else ()
        found[page.page] = PageBoxes(page.page, page.width, page.height, before + page.boxes)
    return tuple(found[number] for number in sorted(found))
