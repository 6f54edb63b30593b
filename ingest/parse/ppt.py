"""PPT, PowerPoint's old binary format: titles, text and notes, slide by slide.

A save appends what changed, so old slides stay in the stream. Which ones count is said by the
directories of the edits, newest first, and only what these name is read. Source: [MS-PPT] 2.1.2
(order of reading), 2.3 (edits and directories), 2.4.14.3 (lists of slides), 2.9 (text).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ingest.clean import one_line
from ingest.parse.assemble import Assembler
from ingest.parse.compound import open_compound, stream
from ingest.parse.ppt_records import Record, children, record_at
from retrieval.errors import Encrypted, Unreadable
from retrieval.types import BlockKind, Document, Place

_EMPTY = "There is no text on the slides, perhaps only pictures."
_PASSWORD = "The slides are protected by a password. Save a copy without one and add that."  # noqa: S105
_DAMAGED = "The slides are damaged: {0}. Open them in PowerPoint or LibreOffice and save as PPTX."

_ENCRYPTED_TOKEN = 0xF3D1C4DF
_WITH_SESSION = 32  # bytes of an edit that names how it is encrypted
_EDIT, _DIRECTORY, _DOCUMENT = 0x0FF5, 0x1772, 0x03E8
_SLIDE_LIST, _SLIDE_ENTRY, _SLIDE, _SLIDE_ATOM, _NOTES = 0x0FF0, 0x03F3, 0x03EE, 0x03EF, 0x03F0
_DRAWING = 0x040C
_TEXT_KIND, _WIDE_TEXT, _NARROW_TEXT, _OUTLINE_TEXT = 0x0F9F, 0x0FA0, 0x0FA8, 0x0F9E
_SLIDES, _NOTE_PAGES = 0, 2  # which list of slides it is
_TITLES, _BODIES = frozenset({0, 6}), frozenset({1, 5, 7, 8})
_FIELD = "*"  # where PowerPoint shows a number or a date


class _Text(NamedTuple):
    kind: int
    text: str


@dataclass(slots=True)
class _Entry:
    """A slide or a page of notes, as a list of slides has it."""

    reference: int  # into the directory
    id: int
    outline: list[_Text] = field(default_factory=list)


def read(path: Path, media_type: str) -> Document:
    """Parse a PPT file of PowerPoint 97 or later; every block has its slide.

    Raises:
        NoText, Unreadable, Encrypted: it is blank, damaged, or needs a password.
    """
    with open_compound(path) as file:
        user = stream(file, "Current User") or b""
        content = stream(file, "PowerPoint Document") or b""
    try:
        slides = list(_slides(content, user))
    except (struct.error, KeyError, IndexError) as error:
        raise Unreadable(_DAMAGED.format("a part of them is missing")) from error
    assembler = Assembler(media_type)
    unread = tuple(
        number
        for number, texts in enumerate(slides, start=1)
        if not _add_slide(texts, number, assembler)
    )
    title = assembler.first_heading
    return assembler.document(
        title=title, n_pages=len(slides), unread_pages=unread, if_empty=_EMPTY
    )


def _slides(content: bytes, user: bytes) -> Iterator[list[_Text]]:
    """Texts of each slide, in the order they are shown."""
    token, newest = struct.unpack_from("<II", user, 12)
    if token == _ENCRYPTED_TOKEN:
        raise Encrypted(_PASSWORD)
    places, document_reference = _directory(content, newest)
    document = record_at(content, places[document_reference])
    if document.kind != _DOCUMENT:
        raise Unreadable(_DAMAGED.format("their list of slides is missing"))
    lists = [part for part in children(content, document) if part.kind == _SLIDE_LIST]
    notes = {
        entry.id: entry.reference
        for part in lists
        if part.instance == _NOTE_PAGES
        for entry in _entries(content, part)
    }
    for part in lists:
        if part.instance == _SLIDES:
            for entry in _entries(content, part):
                yield _texts_of(content, entry, places, notes)


def _directory(content: bytes, newest: int) -> tuple[dict[int, int], int]:
    """Where each object stands by its number, newer edits before older; the document's number."""
    places: dict[int, int] = {}
    document_reference = 0
    at = newest
    seen: set[int] = set()
    while at and at not in seen:
        seen.add(at)
        edit = record_at(content, at)
        if edit.kind != _EDIT:
            raise Unreadable(_DAMAGED.format("their list of changes is missing"))
        if edit.end - edit.start >= _WITH_SESSION:
            raise Encrypted(_PASSWORD)
        before, directory, reference = struct.unpack_from("<III", content, edit.start + 8)
        document_reference = document_reference or reference
        for number, place in _entries_of_directory(content, record_at(content, directory)):
            places.setdefault(number, place)
        at = before
    return places, document_reference


def _entries_of_directory(content: bytes, directory: Record) -> Iterator[tuple[int, int]]:
    if directory.kind != _DIRECTORY:
        return
    at = directory.start
    while at + 4 <= directory.end:
        head = struct.unpack_from("<I", content, at)[0]
        first, n_entries = head & 0xFFFFF, head >> 20
        for number, place in enumerate(struct.unpack_from(f"<{n_entries}I", content, at + 4)):
            yield first + number, place
        at += 4 + 4 * n_entries


def _entries(content: bytes, part: Record) -> Iterator[_Entry]:
    """Slides of a list, each with the texts that stand in the list instead of on the slide."""
    entry: _Entry | None = None
    kind = 0
    for record in children(content, part):
        if record.kind == _SLIDE_ENTRY:
            if entry:
                yield entry
            reference, _, _, number = struct.unpack_from("<IIiI", content, record.start)
            entry = _Entry(reference, number)
        elif record.kind == _TEXT_KIND:
            kind = struct.unpack_from("<I", content, record.start)[0]
        elif entry and (text := _text(content, record)) is not None:
            entry.outline.append(_Text(kind, text))
    if entry:
        yield entry


def _texts_of(
    content: bytes, entry: _Entry, places: dict[int, int], notes: dict[int, int]
) -> list[_Text]:
    """Texts on the slide, those of its outline that it does not show, and its notes."""
    slide = record_at(content, places[entry.reference])
    left = dict(enumerate(entry.outline))
    texts: list[_Text] = []
    note_id = 0
    for part in children(content, slide) if slide.kind == _SLIDE else ():
        if part.kind == _SLIDE_ATOM:
            note_id = struct.unpack_from("<I", content, part.start + 16)[0]
        elif part.kind == _DRAWING:
            texts += _drawn(content, part, left)
    texts += left.values()
    if note_id in notes and notes[note_id] in places:
        page = record_at(content, places[notes[note_id]])
        for part in children(content, page) if page.kind == _NOTES else ():
            if part.kind == _DRAWING:
                texts += _drawn(content, part, {})
    return texts


def _drawn(content: bytes, drawing: Record, outline: dict[int, _Text]) -> Iterator[_Text]:
    """Texts in the shapes of a drawing, in order; what `outline` has of them is taken out."""
    kind = 0
    waiting = [children(content, drawing)]
    while waiting:
        record = next(waiting[-1], None)
        if record is None:
            waiting.pop()
        elif record.is_container:
            waiting.append(children(content, record))
        elif record.kind == _TEXT_KIND:
            kind = struct.unpack_from("<I", content, record.start)[0]
        elif record.kind == _OUTLINE_TEXT:
            number = struct.unpack_from("<I", content, record.start)[0]
            if number in outline:
                yield outline.pop(number)
        elif (text := _text(content, record)) is not None:
            yield _Text(kind, text)


def _text(content: bytes, record: Record) -> str | None:
    if record.kind == _WIDE_TEXT:
        return content[record.start : record.end].decode("utf-16-le", "replace")
    if record.kind == _NARROW_TEXT:
        return content[record.start : record.end].decode("latin-1")
    return None


def _add_slide(texts: list[_Text], number: int, assembler: Assembler) -> bool:
    """Add a slide, its title first; tell whether there was text."""
    place = Place(first_slide=number, last_slide=number)
    n_before = assembler.n_blocks
    assembler.close_sections()
    for kind, text in sorted(texts, key=lambda each: each.kind not in _TITLES):
        if kind in _TITLES:
            assembler.heading(one_line(text), level=1, place=place)
            continue
        style: BlockKind = "list_item" if kind in _BODIES else "paragraph"
        for paragraph in text.split("\r"):
            shown = one_line(paragraph)
            if shown != _FIELD:
                assembler.add(shown, kind=style, place=place)
    return assembler.n_blocks > n_before
