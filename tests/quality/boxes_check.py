"""Are boxes where the text is? Asked of pdfminer, which shares no code with our parser.

``python -m tests.quality.boxes_check FOLDER ...`` takes passages from the PDFs of folders, has their
boxes found as the product does, and compares the letters whose middle pdfminer sees inside them
with the passage. Prints the share of passages that are equal, and the others with ``--show``.
"""

from __future__ import annotations

import argparse
import random
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pdfminer.converter import PDFPageAggregator
from pdfminer.layout import LTChar, LTContainer
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.utils import apply_matrix_pt

from ingest.boxes import boxes_of
from ingest.sandbox import Limits, Sandbox
from retrieval.boxes import PageBoxes
from retrieval.errors import FileFailed
from retrieval.types import Document

_LIMITS = Limits(seconds=60.0)
_SLACK = 0.5  # points around a box
_MIN_LETTERS = 8
_MAX_DIFFERENT = 0.002  # share of a page's letters on which the readers may differ
_UNSEEN = frozenset({"Cf", "Cc", "Cn", "Co", "Cs", "Pd"})

Letter = tuple[str, float, float]  # with the middle of its box, from the left and top edges


@dataclass(frozen=True, slots=True)
class Checked:
    """One passage, and what stands under its boxes."""

    where: str
    quote: str
    under: str
    is_witnessed: bool  # both readers see the same letters on the page

    @property
    def is_equal(self) -> bool:
        """Same letters, in whatever order; hyphens may stand on one side alone."""
        return _counted(self.quote) == _counted(self.under)


def _counted(text: str) -> Counter[str]:
    normal = unicodedata.normalize("NFKC", text)
    kept = (
        c
        for c in normal
        if not c.isspace() and c != "|" and unicodedata.category(c) not in _UNSEEN
    )
    return Counter(kept)


def check(path: Path, sandbox: Sandbox, *, n_pages: int, seed: int = 5) -> Iterator[Checked]:
    """Check a passage of some blocks and one of the middle of a block on up to `n_pages` pages."""
    try:
        document = sandbox.parse(path, filename=path.name, limits=_LIMITS)
    except FileFailed:
        return
    chance = random.Random(f"{seed}{path.name}")
    pages = sorted({b.place.first_page for b in document.blocks if b.place.first_page})
    chosen = sorted(chance.sample(pages, min(n_pages, len(pages))))
    for number, letters in _letters_of_pages(path, chosen):
        seen = "".join(text for text, _, _ in letters)
        is_witnessed = _agree(_text_of(document, number), seen)
        for start, end in _passages(document, number, chance):
            found = boxes_of(
                path,
                blocks=document.blocks,
                text=partial(_slice, document.text),
                span=(start, end),
            )
            here = [page for page in found if page.page == number]
            under = "".join(_under(page, letters) for page in here)
            where = f"{path.name}, page {number}"
            yield Checked(where, document.text[start:end], under, is_witnessed)


def _agree(ours: str, theirs: str) -> bool:
    """Tell whether two readers differ in so few letters that one can judge the other's places."""
    one, other = _counted(ours), _counted(theirs)
    n_different = (one - other).total() + (other - one).total()
    return n_different <= _MAX_DIFFERENT * max(one.total(), other.total())


def _text_of(document: Document, page: int) -> str:
    blocks = (block for block in document.blocks if block.place.first_page == page)
    return "".join(document.text[block.start_char : block.end_char] for block in blocks)


def _slice(text: str, start: int, end: int) -> str:
    return text[start:end]


def _passages(document: Document, page: int, chance: random.Random) -> Iterator[tuple[int, int]]:
    """A block, a run of two, and a cut at borders of words inside one; each of some length."""
    blocks = [b for b in document.blocks if b.place.first_page == page]
    for block in chance.sample(blocks, min(3, len(blocks))):
        position = blocks.index(block)
        until = blocks[min(position + 1, len(blocks) - 1)]
        text = document.text[block.start_char : block.end_char]
        words = [n for n, c in enumerate(text) if n and text[n - 1] == " "]
        inner = chance.choice(words) if words else 0
        for span in (
            (block.start_char, block.end_char),
            (block.start_char + inner, block.end_char),
            (block.start_char + inner, until.end_char),
        ):
            if sum(c.isalnum() for c in document.text[span[0] : span[1]]) >= _MIN_LETTERS:
                yield span


def _letters_of_pages(path: Path, numbers: list[int]) -> Iterator[tuple[int, list[Letter]]]:
    """Letters of each page as pdfminer reads it; pages that it can't read are left out."""
    resources = PDFResourceManager()
    device = PDFPageAggregator(resources, laparams=None)
    interpreter = PDFPageInterpreter(resources, device)
    wanted = {number - 1 for number in numbers}
    with path.open("rb") as file:
        try:
            for number, page in zip(numbers, PDFPage.get_pages(file, wanted), strict=False):
                interpreter.process_page(page)
                yield number, list(_letters(device.get_result(), page))
        except Exception:  # noqa: BLE001 - whatever it stumbles over, it is no witness here
            return


def _letters(layout: LTContainer, page: PDFPage) -> Iterator[Letter]:
    x0, y0, x1, y1 = page.mediabox
    turn = {
        90: (0, -1, 1, 0, -y0, x1), 180: (-1, 0, 0, -1, x1, y1), 270: (0, 1, -1, 0, y1, -x0),
    }.get(page.rotate, (1, 0, 0, 1, -x0, -y0))  # fmt: skip
    crop = page.cropbox
    seen = (max(x0, crop[0]), max(y0, crop[1]), min(x1, crop[2]), min(y1, crop[3]))
    corners = [apply_matrix_pt(turn, (x, y)) for x in seen[::2] for y in seen[1::2]]
    left, top = min(x for x, _ in corners), max(y for _, y in corners)
    for item in _characters(layout):
        x, y = (item.x0 + item.x1) / 2, (item.y0 + item.y1) / 2
        yield item.get_text(), x - left, top - y


def _characters(layout: LTContainer) -> Iterator[LTChar]:
    for item in layout:
        if isinstance(item, LTChar):
            yield item
        elif isinstance(item, LTContainer):
            yield from _characters(item)


def _under(page: PageBoxes, letters: list[Letter]) -> str:
    return "".join(
        text
        for text, x, y in letters
        if any(
            box.left - _SLACK <= x <= box.right + _SLACK
            and box.top - _SLACK <= y <= box.bottom + _SLACK
            for box in page.boxes
        )
    )


def main() -> None:
    """Print the share of passages whose boxes hold their letters and no others."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folders", nargs="+", type=Path)
    options.add_argument("--pages", type=int, default=4, help="of each file")
    options.add_argument("--show", type=int, default=0, help="how many that differ to print")
    given = options.parse_args()
    results: list[Checked] = []
    with Sandbox() as sandbox:
        for folder in given.folders:
            for path in sorted(folder.rglob("*.pdf")):
                results += check(path, sandbox, n_pages=given.pages)
    for name, some in (
        ("all", results),
        ("on pages that both readers read alike", [r for r in results if r.is_witnessed]),
    ):
        equal = sum(result.is_equal for result in some)
        print(f"{equal} of {len(some)} passages {name}: {equal / max(len(some), 1):.4f}")
    different = [r for r in results if r.is_witnessed and not r.is_equal]
    print(Counter(result.where.split(",")[0] for result in different).most_common(12))
    for result in different[: given.show]:
        print(f"{result.where}\n   quote {result.quote!r}\n   under {result.under!r}")


if __name__ == "__main__":
    main()
