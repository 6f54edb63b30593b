import struct

import pytest
from document_checks import outline
from packages import compound

from ingest.parse.msg import decompressed
from retrieval.errors import Encrypted, NoText, Unreadable


def wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def property_name(tag: str, kind: str = "001F") -> str:
    return f"__substg1.0_{tag}{kind}"


def test_headers_body_and_names_of_attachments(parsed):
    content = compound(
        {
            property_name("0037"): wide("Cups"),
            property_name("0C1A"): wide("Ann"),
            property_name("5D01"): wide("ann@example.org"),
            property_name("0E04"): wide("Bob"),
            property_name("1000"): wide("Hello,\r\n\r\nthey came."),
            "__attach_version1.0_#00000000/" + property_name("3707"): wide("cup.png"),
        }
    )
    document = parsed(content, "a.msg")
    assert document.media_type == "application/vnd.ms-outlook"
    assert document.title == "Cups"
    assert outline(document) == [
        ("heading", "Cups"),
        ("other", "From: Ann <ann@example.org>\nTo: Bob"),
        ("paragraph", "Hello,"),
        ("paragraph", "they came."),
        ("other", "Attachment: cup.png"),
    ]


def test_body_may_be_a_page_or_narrow(parsed):
    page = compound({property_name("1013", "0102"): b"<p>A <b>page</b>.</p>"})
    assert parsed(page, "a.msg").text == "A page."
    narrow = compound({property_name("1000", "001E"): "Köln".encode("cp1252")})
    assert parsed(narrow, "a.msg").text == "Köln"


def stored_rtf(rtf: bytes) -> bytes:
    return struct.pack("<II4sI", len(rtf) + 12, len(rtf), b"MELA", 0) + rtf


def test_body_may_be_rtf(parsed):
    content = compound({property_name("1009", "0102"): stored_rtf(rb"{\rtf1 One.\par Two.}")})
    assert parsed(content, "a.msg").text == "One.\n\nTwo."


def test_compressed_rtf_is_unpacked_as_in_the_specification():
    # [MS-OXRTFCP], 3.1.1: a simple compressed stream and its text.
    packed = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af320"
        "68656c0900206277" "05b06c647d0a800fa0"
    )  # fmt: skip
    assert decompressed(packed) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    # 3.1.2: a reference that runs into what it writes.
    crossing = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert decompressed(crossing) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


def test_empty_encrypted_and_damaged_messages_fail(parsed):
    with pytest.raises(NoText):
        parsed(compound({property_name("0070"): wide("x")}), "a.msg")
    with pytest.raises(Encrypted):
        parsed(compound({property_name("001A"): wide("IPM.Note.SMIME")}), "a.msg")
    with pytest.raises(Unreadable):
        parsed(compound({property_name("0037"): wide("x")})[:600] + wide("__substg1.0_"), "a.msg")
    with pytest.raises(Unreadable, match="cut off"):
        decompressed(b"short")
