from email.message import EmailMessage

import pytest
from document_checks import outline

from ingest.detect import detect
from retrieval.errors import NoText

PAGE = (
    b"From: web\nSubject: Saved\nMIME-Version: 1.0\n"
    b'Content-Type: multipart/related; boundary="b"\n\n'
    b"--b\nContent-Type: text/html; charset=latin-1\nContent-Transfer-Encoding: quoted-printable\n\n"
    b"<h1>K=F6ln</h1><p>A city.</p>\n--b\nContent-Type: text/css\n\np {color: red}\n--b--\n"
)


def message(**headers: str) -> EmailMessage:
    letter = EmailMessage()
    for name, value in headers.items():
        letter[name] = value
    return letter


def test_headers_body_and_attachments(parsed):
    letter = message(Subject="Cups für alle", From="Ann <ann@example.org>", To="bob@example.org")
    letter.set_content("Hello Bob,\n\nhere they are.\n")
    letter.add_attachment("a text\n", filename="notes.txt")
    letter.add_attachment(b"\x00\x01", maintype="image", subtype="png", filename="cup.png")
    document = parsed(letter.as_bytes(), "a.eml")
    assert document.media_type == "message/rfc822"
    assert document.title == "Cups für alle"
    assert outline(document) == [
        ("heading", "Cups für alle"),
        ("other", "From: Ann <ann@example.org>\nTo: bob@example.org"),
        ("paragraph", "Hello Bob,"),
        ("paragraph", "here they are."),
        ("other", "Attachment: notes.txt"),
        ("paragraph", "a text"),
        ("other", "Attachment: cup.png"),
    ]


def test_of_alternatives_the_plain_one_counts_unless_the_page_says_more(parsed):
    same = message(Subject="Same")
    same.set_content("One two three\n")
    same.add_alternative("<p>One <b>two</b> three</p>", subtype="html")
    assert parsed(same.as_bytes(), "a.eml").text == "Same\n\nOne two three"
    more = message(Subject="More")
    more.set_content("See the page.\n")
    more.add_alternative("<table><tr><td>Blues</td><td>1</td></tr></table>", subtype="html")
    assert parsed(more.as_bytes(), "a.eml").text == "More\n\nSee the page.\n\nBlues; 1"


def test_forwarded_message_stands_under_its_own_subject(parsed):
    inner = message(Subject="Inside", From="eve@example.org")
    inner.set_content("Inner text.\n")
    outer = message(Subject="Outside")
    outer.set_content("Outer text.\n")
    outer.add_attachment(inner)
    document = parsed(outer.as_bytes(), "a.eml")
    assert document.blocks[-1].heading_path == ("Outside", "Inside")
    assert document.text.endswith("Inner text.")


def test_saved_page_is_read_in_its_encoding_and_without_its_styles(parsed):
    document = parsed(PAGE, "a.mhtml")
    assert document.text == "Saved\n\nFrom: web\n\nKöln\n\nA city."


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: x\nContent-Type: text/plain; charset=nonsense\n\nText.",
        b"Subject: x\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nVGV4dC4",
        b"Subject: =?utf-8?q?x?=\nFrom: <<>>,;\nDate: never\nContent-Type: ;;;\n\nText.",
    ],
)
def test_what_is_broken_in_a_message_costs_no_text(parsed, content):
    assert "Text." in parsed(content, "a.eml").text


def test_message_without_anything_has_no_text(parsed):
    with pytest.raises(NoText):
        parsed(b"MIME-Version: 1.0\nContent-Type: text/plain\nX-A: b\n\n", "a.eml")


def test_message_is_told_by_its_headers():
    letter = b"Received: from a\nMessage-ID: <1@a>\nSubject: x\n\nText"
    assert detect(letter, "letter") == "message/rfc822"
    assert detect(letter, "letter.txt") == "message/rfc822"
