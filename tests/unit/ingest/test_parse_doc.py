import struct

import pytest
from document_checks import outline
from packages import compound

from retrieval.errors import Encrypted, NoText, Unreadable


def word(*pieces: tuple[str, str], flags: int = 0x0200, prefix: bytes = b"") -> bytes:
    """A DOC file of text pieces, each with the encoding it is stored in."""
    header = bytearray(0x0200)
    struct.pack_into("<HH", header, 0, 0xA5EC, 0x00C1)
    struct.pack_into("<H", header, 10, flags)
    body, places, offsets, at = bytes(header), [0], [], 0
    for text, encoding in pieces:
        offset = len(body)
        offsets.append(offset * 2 | 0x40000000 if encoding == "cp1252" else offset)
        body += text.encode(encoding)
        at += len(text)
        places.append(at)
    plc = struct.pack(f"<{len(places)}I", *places)
    plc += b"".join(struct.pack("<HIH", 0, offset, 0) for offset in offsets)
    clx = prefix + b"\x02" + struct.pack("<I", len(plc)) + plc
    main = bytearray(body)
    struct.pack_into("<II", main, 0x01A2, 0, len(clx))
    return compound({"WordDocument": bytes(main), "1Table": clx})


def test_paragraphs_of_both_kinds_of_pieces(parsed):
    content = word(
        ("Café opens.\rIt ", "cp1252"),
        ("closes — später.\x0cNew page.\r", "utf-16-le"),
        prefix=b"\x01\x02\x00ab",
    )
    document = parsed(content, "a.doc")
    assert document.media_type == "application/msword"
    assert document.text == "Café opens.\n\nIt closes — später.\n\nNew page."


def test_rows_of_a_table_and_results_of_fields(parsed):
    text = (
        "Before.\rTeam\x07Cups\x07\x07Blues\x071\x07\x07"
        'See \x13 HYPERLINK "http://x" \x13 DATE \x14 inner \x15\x14the page\x15.\x01\r'
    )
    document = parsed(word((text, "cp1252")), "a.doc")
    assert outline(document) == [
        ("paragraph", "Before."),
        ("table_row", "Team; Cups"),
        ("table_row", "Team: Blues; Cups: 1"),
        ("paragraph", "See the page."),
    ]


def test_word_6_keeps_its_text_in_one_run(parsed):
    header = bytearray(0x0200)
    text = "Old “quotes”.\rEnd.".encode("cp1252")
    struct.pack_into("<HH", header, 0, 0xA5DC, 0x0065)
    struct.pack_into("<II", header, 24, len(header), len(header) + len(text))
    document = parsed(compound({"WordDocument": bytes(header) + text}), "a.doc")
    assert document.text == "Old “quotes”.\n\nEnd."


def test_protected_blank_and_damaged_files_fail(parsed):
    with pytest.raises(Encrypted):
        parsed(word(("x", "cp1252"), flags=0x0300), "a.doc")
    with pytest.raises(NoText):
        parsed(word(("\r\r", "cp1252")), "a.doc")
    with pytest.raises(Unreadable, match="cut off"):
        parsed(word(("x", "cp1252"), flags=0), "a.doc")  # the other table is not there
