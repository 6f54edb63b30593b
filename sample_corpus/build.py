"""Build the sample corpus from its sources: `python sample_corpus/build.py [--out FOLDER]`.

The same sources give the same files, byte for byte for text and PDF and member for
member for the office formats, so that a change to the corpus is reviewed in `sources/`.
"""

import argparse
import shutil
from html import escape
from pathlib import Path

from build_office import build_docx, build_pptx, build_xlsx
from build_pdf import build_article, build_bulletin, build_handbook
from markup import Block, Bullets, Heading, Paragraph, Table, read_blocks

HERE = Path(__file__).parent
COPIED = (
    "hours-of-the-world.txt",
    "julian_day.py",
    "leap-seconds.csv",
    "ntp-notes.md",
    "ntp_timestamp.c",
    "odd-time-zones.md",
    "sundial.js",
    "time-signal-stations.jsonl",
)


def build(sources: Path, out: Path) -> None:
    """Write every file of the corpus to `out`, which is created if it is missing."""
    out.mkdir(parents=True, exist_ok=True)
    build_handbook(sources / "handbook", out / "handbook.pdf")
    build_article(sources / "leap-second-article.md", out / "the-last-leap-second.pdf")
    build_bulletin(
        sources / "longcase-clock-service-bulletin.md", out / "longcase-clock-service-bulletin.pdf"
    )
    build_docx(sources / "railway-time-report.md", out / "railway-time-report.docx")
    build_pptx(sources / "antikythera-talk.md", out / "antikythera-talk.pptx")
    build_xlsx(sources / "calendar-tables", out / "calendar-tables.xlsx")
    build_html(sources / "gps-time.md", sources / "page-template.html", out / "gps-time.html")
    text = (sources / "decimal-time.txt").read_text(encoding="utf-8")
    (out / "decimal-time-latin1.txt").write_bytes(text.encode("latin-1"))
    for name in COPIED:
        shutil.copyfile(sources / name, out / name)


def build_html(source: Path, template: Path, out: Path) -> None:
    """Put the rendered source into the page template with its menus and footer."""
    blocks = read_blocks(source)
    page = template.read_text(encoding="utf-8")
    page = page.replace("{{title}}", escape(blocks[0].text))
    body = "\n".join(_html(block) for block in blocks)
    out.write_bytes(page.replace("{{body}}", body).encode())


def _html(block: Block) -> str:
    """Render one block as an HTML element."""
    match block:
        case Heading(level, text):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
        case Table(caption, rows):
            head, *rest = rows
            lines = [_html_row(head, "th"), *(_html_row(row, "td") for row in rest)]
            return (
                f"<table><caption>{escape(caption)}</caption>\n" + "\n".join(lines) + "\n</table>"
            )


def _html_row(row: tuple[str, ...], tag: str) -> str:
    """Render one table row with cells of the given tag."""
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "files", help="folder for the files")
    build(HERE / "sources", parser.parse_args().out)


if __name__ == "__main__":
    main()
