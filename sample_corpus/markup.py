"""The small part of Markdown that the prose sources use, read into blocks.

A source file holds headings (one to three hashes), paragraphs, lists of lines that
start with "- ", and tables with pipes that a line "Table: caption" may introduce.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the title of the source or chapter."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text, its lines joined by single spaces."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """The items of one list, in order."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the first row is its header, every row has the same length."""

    caption: str
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Bullets | Table


def read_blocks(path: Path) -> list[Block]:
    """Read one source file (UTF-8) into its blocks, in order."""
    groups = path.read_text(encoding="utf-8").split("\n\n")
    return list(_join_captions(_group(group.strip()) for group in groups if group.strip()))


def _group(group: str) -> Block:
    """Read the lines between two blank lines; each group is one block."""
    lines = group.splitlines()
    if lines[0].startswith("#"):
        marks, _, text = lines[0].partition(" ")
        return Heading(len(marks), text)
    if lines[0].startswith("- "):
        return Bullets(tuple(line.removeprefix("- ") for line in lines))
    if lines[0].startswith("|"):
        return Table("", tuple(_cells(line) for line in lines if not line.startswith("|---")))
    return Paragraph(" ".join(lines))


def _cells(line: str) -> tuple[str, ...]:
    """Split one table line at its pipes."""
    return tuple(cell.strip() for cell in line.strip("|").split("|"))


def _join_captions(blocks: Iterator[Block]) -> Iterator[Block]:
    """Move each "Table: caption" paragraph into the table that follows it."""
    caption = ""
    for block in blocks:
        if isinstance(block, Paragraph) and block.text.startswith("Table: "):
            caption = block.text.removeprefix("Table: ")
        elif isinstance(block, Table):
            yield Table(caption, block.rows)
            caption = ""
        else:
            yield block
