"""The three PDFs of the corpus: handbook, two-column article, service bulletin.

Streams are written uncompressed and without dates, so that the bytes depend on the
sources alone and not on the zlib of the machine that builds them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from markup import Block, Bullets, Heading, Paragraph, Table, read_blocks
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4, B5
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Spacer,
)
from reportlab.platypus import Paragraph as Text
from reportlab.platypus import Table as Grid
from reportlab.platypus.tableofcontents import TableOfContents

BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=11, leading=15, spaceAfter=7)
NARROW = ParagraphStyle("narrow", parent=BODY, alignment=TA_JUSTIFY, fontSize=10.5, leading=13.2)
CELL = ParagraphStyle("cell", fontName="Helvetica", fontSize=8, leading=10)
HEAD_CELL = ParagraphStyle("head", parent=CELL, fontName="Helvetica-Bold")
CAPTION = ParagraphStyle(
    "caption", parent=CELL, fontName="Helvetica-Oblique", spaceBefore=6, spaceAfter=3
)
TITLE = ParagraphStyle(
    "title", fontName="Times-Bold", fontSize=22, leading=28, alignment=TA_CENTER
)
LINE = ParagraphStyle("line", parent=BODY, alignment=TA_CENTER)
H1 = ParagraphStyle("h1", fontName="Times-Bold", fontSize=18, leading=22, spaceAfter=12)
H2 = ParagraphStyle(
    "h2", fontName="Times-Bold", fontSize=13, leading=16, spaceBefore=8, spaceAfter=4
)
GRID_STYLE = [
    ("GRID", (0, 0), (-1, -1), 0.5, colors.grey),
    ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
]
# Average advance of an 8-point Helvetica letter with a margin for capitals, in points.
_POINTS_PER_CHAR = 4.6
_CELL_PADDING = 14


class Marked(Text):
    """A heading that also becomes an entry of the outline and, at level 0, of the contents."""

    def __init__(self, text: str, style: ParagraphStyle, *, level: int) -> None:
        super().__init__(text, style)
        self.title = text
        self.level = level


class Book(BaseDocTemplate):
    """A document template that turns `Marked` headings into bookmarks as pages fill."""

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 - the name reportlab calls
        """Record a heading once its page is known."""
        if not isinstance(flowable, Marked):
            return
        key = f"heading-{self.page}-{flowable.title}"
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(flowable.title, key, flowable.level, closed=flowable.level == 0)
        if flowable.level == 0:
            self.notify("TOCEntry", (0, flowable.title, self.page, key))


def build_handbook(sources: Path, out: Path) -> None:
    """Write the handbook: title, contents, then one chapter for each source file."""
    book = _book(out, "A Handbook of Timekeeping", B5)
    margin = 18 * mm
    frame = Frame(margin, 20 * mm, B5[0] - 2 * margin, B5[1] - 38 * mm, 0, 0, 0, 0)
    footer = _footer("A Handbook of Timekeeping", B5)
    book.addPageTemplates(
        [PageTemplate("cover", [frame]), PageTemplate("page", [frame], onPageEnd=footer)]
    )
    story = _front_matter()
    for number, path in enumerate(sorted(sources.glob("*.md")), start=1):
        story.append(PageBreak())
        story.extend(_flow(_numbered(read_blocks(path), number), BODY, frame.width))
    book.multiBuild(story)


def build_article(source: Path, out: Path) -> None:
    """Write the article in two justified columns under a title across the page."""
    blocks = read_blocks(source)
    title, lead = blocks[0].text, blocks[1].text
    doc = _book(out, title, B5)
    doc.addPageTemplates(_column_templates(_footer("Clock and Calendar Review", B5)))
    story = [
        Marked(title, TITLE, level=0),
        Spacer(0, 6),
        Text("The Editors of the Timekeeping Library", LINE),
        Text(lead, ParagraphStyle("lead", parent=BODY, fontName="Times-Italic")),
        NextPageTemplate("rest"),
        FrameBreak(),
    ]
    doc.build(story + list(_flow(blocks[2:], NARROW, _COLUMN)))


def build_bulletin(source: Path, out: Path) -> None:
    """Write the service bulletin on A4, one column with tables."""
    doc = _book(out, "Service Bulletin 7", A4)
    margin = 25 * mm
    frame = Frame(margin, 22 * mm, A4[0] - 2 * margin, A4[1] - 44 * mm, 0, 0, 0, 0)
    doc.addPageTemplates(
        [PageTemplate("page", [frame], onPageEnd=_footer("Service Bulletin 7", A4))]
    )
    doc.build(list(_flow(read_blocks(source), BODY, frame.width)))


_GAP = 8 * mm
_SIDE = 16 * mm
_COLUMN = (B5[0] - 2 * _SIDE - _GAP) / 2
_BANNER = 42 * mm


def _column_templates(footer: object) -> list[PageTemplate]:
    """Give the first page a banner frame above its columns; later pages columns only."""
    height = B5[1] - 38 * mm

    def columns(column_height: float) -> list[Frame]:
        lefts = (_SIDE, _SIDE + _COLUMN + _GAP)
        return [Frame(x, 20 * mm, _COLUMN, column_height, 0, 0, 0, 0) for x in lefts]

    banner = Frame(_SIDE, 20 * mm + height - _BANNER, B5[0] - 2 * _SIDE, _BANNER, 0, 0, 0, 0)
    first = [banner, *columns(height - _BANNER - 4 * mm)]
    return [
        PageTemplate(n, f, onPageEnd=footer)
        for n, f in (("first", first), ("rest", columns(height)))
    ]


def _book(out: Path, title: str, size: tuple[float, float]) -> Book:
    """Open a template with fixed identity: no dates, no compression."""
    return Book(
        str(out),
        pagesize=size,
        title=title,
        author="The Editors of the Timekeeping Library",
        invariant=1,
        pageCompression=0,
    )


def _footer(text: str, size: tuple[float, float]) -> object:
    """Return a page hook that prints the name of the document and the page number."""

    def draw(canvas: Canvas, doc: BaseDocTemplate) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(18 * mm, 12 * mm, text)
        canvas.drawRightString(size[0] - 18 * mm, 12 * mm, str(doc.page))

    return draw


def _front_matter() -> list[Flowable]:
    """Title page and contents."""
    contents = TableOfContents(levelStyles=[ParagraphStyle("toc", parent=BODY, spaceBefore=3)])
    contents.dotsMinLevel = 0
    return [
        Spacer(0, 60 * mm),
        Text("A Handbook of Timekeeping", TITLE),
        Spacer(0, 10 * mm),
        Text("Clocks, calendars, time zones and navigation by time", LINE),
        NextPageTemplate("page"),
        PageBreak(),
        Text("Contents", H1),
        contents,
    ]


def _numbered(blocks: Sequence[Block], chapter: int) -> Iterator[Block]:
    """Number the headings of a chapter: 3 for its title, 3.1, 3.2 … for its sections."""
    section = 0
    for block in blocks:
        if not isinstance(block, Heading):
            yield block
        elif block.level == 1:
            yield Heading(1, f"{chapter} {block.text}")
        else:
            section += 1
            yield Heading(block.level, f"{chapter}.{section} {block.text}")


def _flow(
    blocks: Sequence[Block] | Iterator[Block], body: ParagraphStyle, width: float
) -> Iterator[Flowable]:
    """Turn blocks into flowables; a heading stays with what follows it."""
    for block in blocks:
        match block:
            case Heading(level, text):
                style = ParagraphStyle("kept", parent=H1 if level == 1 else H2, keepWithNext=1)
                yield Marked(text, style, level=level - 1)
            case Paragraph(text):
                yield Text(text, body)
            case Bullets(items):
                yield from (Text(item, body, bulletText="•") for item in items)
            case Table():
                yield _grid(block, width)


def _grid(table: Table, width: float) -> Flowable:
    """Draw a ruled table under its caption; it never splits across pages."""
    longest = [max(len(row[i]) for row in table.rows) for i in range(len(table.rows[0]))]
    wanted = [n * _POINTS_PER_CHAR + _CELL_PADDING for n in longest]
    scale = min(1.0, width / sum(wanted))
    head, *rest = table.rows
    cells = [[Text(c, HEAD_CELL) for c in head], *([Text(c, CELL) for c in row] for row in rest)]
    grid = Grid(cells, colWidths=[w * scale for w in wanted], hAlign="LEFT", style=GRID_STYLE)
    return KeepTogether([Text(table.caption, CAPTION), grid, Spacer(0, 8)])
