import struct

import pytest
from document_checks import outline
from packages import compound

from retrieval.errors import Encrypted, NoText, Unreadable

TITLE, BODY, OTHER = 0, 1, 4
NOTE_ID, NOTE_REFERENCE = 900, 90


def record(
    kind: int, content: bytes = b"", *, instance: int = 0, container: bool = False
) -> bytes:
    return (
        struct.pack("<HHI", instance << 4 | (0xF if container else 0), kind, len(content))
        + content
    )


def inside(kind: int, *parts: bytes, instance: int = 0) -> bytes:
    return record(kind, b"".join(parts), instance=instance, container=True)


def text(kind: int, content: str, *, wide: bool = True) -> bytes:
    head = record(0x0F9F, struct.pack("<I", kind))
    if wide:
        return head + record(0x0FA0, content.encode("utf-16-le"))
    return head + record(0x0FA8, content.encode("latin-1"))


def from_outline(number: int) -> bytes:
    return record(0x0F9E, struct.pack("<I", number))


def drawn(kind: int, *boxes: bytes, note_id: int = 0) -> bytes:
    """A slide (0x03EE) or a page of notes (0x03F0) with text boxes in nested shapes."""
    shapes = [inside(0xF004, inside(0xF00D, box)) for box in boxes]
    atom = record(0x03EF, struct.pack("<I8xIII", 0, 0, note_id, 0))
    return inside(kind, atom, inside(0x040C, inside(0xF002, inside(0xF003, *shapes))))


def entry(reference: int, id: int, *texts: bytes) -> bytes:
    return record(0x03F3, struct.pack("<IIiII", reference, 0, len(texts), id, 0)) + b"".join(texts)


def slides_list(*entries: bytes, instance: int = 0) -> bytes:
    return inside(0x0FF0, *entries, instance=instance)


def presentation(*edits: dict[int, bytes], session: bytes = b"", token: int = 0xE391C05F) -> bytes:
    """A file saved once for each of `edits`; number 1 is the document."""
    stream, before = b"", 0
    for edit in edits:
        places = {}
        for number, content in edit.items():
            places[number] = len(stream)
            stream += content
        directory = len(stream)
        entries = (struct.pack("<II", 1 << 20 | number, at) for number, at in places.items())
        stream += record(0x1772, b"".join(entries))
        newest = len(stream)
        fields = struct.pack("<IIIIIIHH", 256, 0x03000000, before, directory, 1, 99, 1, 0)
        stream += record(0x0FF5, fields + session)
        before = newest
    user = record(0x0FF6, struct.pack("<III", 0x14, token, before))
    return compound({"Current User": user, "PowerPoint Document": stream})


def document(*lists: bytes) -> bytes:
    return inside(0x03E8, *lists)


def test_slides_in_order_with_titles_lists_and_notes(parsed):
    notes = slides_list(entry(NOTE_REFERENCE, NOTE_ID), instance=2)
    shown = slides_list(
        entry(7, 256, text(TITLE, "Clocks"), text(BODY, "Water\rSand")), entry(5, 257)
    )
    found = parsed(
        presentation({
            1: document(notes, shown),
            5: drawn(0x03EE, text(OTHER, "Café", wide=False), text(TITLE, "Second")),
            7: drawn(0x03EE, from_outline(1), from_outline(0), text(OTHER, "*"), note_id=NOTE_ID),
            NOTE_REFERENCE: drawn(0x03F0, text(2, "Say it slowly.")),
        }),
        "talk.ppt",
    )  # fmt: skip
    assert outline(found) == [
        ("heading", "Clocks"),
        ("list_item", "Water"),
        ("list_item", "Sand"),
        ("paragraph", "Say it slowly."),
        ("heading", "Second"),
        ("paragraph", "Café"),
    ]
    assert [block.place.first_slide for block in found.blocks] == [1, 1, 1, 1, 2, 2]
    assert found.blocks[1].heading_path == ("Clocks",)
    assert (found.title, found.n_pages, found.unread_pages) == ("Clocks", 2, ())


def test_what_an_edit_replaced_or_dropped_is_not_read(parsed):
    first = {
        1: document(slides_list(entry(4, 256), entry(5, 257))),
        4: drawn(0x03EE, text(OTHER, "old words")),
        5: drawn(0x03EE, text(OTHER, "dropped")),
    }
    second = {
        1: document(slides_list(entry(4, 256))),
        4: drawn(0x03EE, text(OTHER, "new words")),
    }
    assert parsed(presentation(first, second), "a.ppt").text == "new words"
    assert "old words" in parsed(presentation(first), "a.ppt").text


def test_outline_that_no_shape_shows_is_kept(parsed):
    file = presentation({
        1: document(slides_list(entry(4, 256, text(TITLE, "Title"), text(BODY, "Only here")))),
        4: drawn(0x03EE, from_outline(0)),
    })  # fmt: skip
    assert parsed(file, "a.ppt").text == "Title\n\nOnly here"


def test_slide_without_text_is_counted(parsed):
    file = presentation({
        1: document(slides_list(entry(4, 256), entry(5, 257))),
        4: drawn(0x03EE), 5: drawn(0x03EE, text(OTHER, "here")),
    })  # fmt: skip
    assert parsed(file, "a.ppt").unread_pages == (1,)


def test_failures_say_what_they_are(parsed):
    empty = {1: document(slides_list(entry(4, 256))), 4: drawn(0x03EE)}
    with pytest.raises(NoText):
        parsed(presentation(empty), "a.ppt")
    for locked in ({"session": struct.pack("<I", 9)}, {"token": 0xF3D1C4DF}):
        with pytest.raises(Encrypted):
            parsed(presentation(empty, **locked), "a.ppt")
    missing = {1: document(slides_list(entry(4, 256)))}
    for damaged in (
        presentation(missing),
        presentation({1: drawn(0x03EE)}),
        compound({"PowerPoint Document": b"cut", "Current User": b"short"}),
        compound(
            {"PowerPoint Document": b"\0" * 40, "Current User": struct.pack("<20xI", 0) + b"1" * 8}
        ),
    ):
        with pytest.raises(Unreadable, match="damaged"):
            parsed(damaged, "a.ppt")
