import pytest
from document_checks import outline
from packages import book, zipped

from retrieval.errors import Encrypted, NoText, Unreadable

NCX = (
    "<ncx><navMap><navPoint><navLabel><text>Second part</text></navLabel>"
    '<content src="two.xhtml#x"/></navPoint></navMap></ncx>'
)
NCX_ITEM = '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'


def test_pages_in_reading_order_under_headings_and_contents(parsed):
    pages = {
        "one": "<h1>First part</h1><p>It began.</p>",
        "more": "<p>It went on.</p>",
        "two": "<p>It ended.</p>",
    }
    content = book(pages, opf_extra=NCX_ITEM, **{"OPS/toc.ncx": NCX})
    document = parsed(content, "a.epub")
    assert document.title == "A Book"
    assert outline(document) == [
        ("heading", "A Book"),
        ("paragraph", "Ann Author"),
        ("heading", "First part"),
        ("paragraph", "It began."),
        ("paragraph", "It went on."),
        ("paragraph", "It ended."),
    ]
    assert [block.heading_path for block in document.blocks[3:]] == [
        ("First part",),
        ("First part",),
        ("Second part",),
    ]


def test_page_of_contents_is_left_out_and_gives_titles(parsed):
    nav = '<nav><ol><li><a href="one.xhtml">Opening</a></li></ol></nav>'
    item = '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    page = f"<html xmlns='http://www.w3.org/1999/xhtml'><body>{nav}</body></html>"
    document = parsed(
        book({"one": "<p>Text.</p>"}, opf_extra=item, **{"OPS/nav.xhtml": page}), "a.epub"
    )
    assert document.text == "A Book\n\nAnn Author\n\nText."
    assert document.blocks[-1].heading_path == ("Opening",)


def test_page_of_pictures_has_its_title(parsed):
    document = parsed(book({"Cover": "<img src='c.jpg'/>", "one": "<p>Text.</p>"}), "a.epub")
    assert document.text.endswith("Cover\n\nText.")


def test_protected_book_is_told(parsed):
    protected = (
        '<encryption><EncryptedData><CipherReference URI="OPS/one.xhtml"/>'
        "</EncryptedData></encryption>"
    )
    with pytest.raises(Encrypted, match="copy-protected"):
        parsed(book({"one": "x"}, **{"META-INF/encryption.xml": protected}), "a.epub")


def test_book_without_text_or_list_of_pages_fails(parsed):
    with pytest.raises(NoText):
        parsed(book({"one": "<img src='a.png'/>"}), "a.epub")
    with pytest.raises(Unreadable, match="pages"):
        parsed(zipped({"META-INF/container.xml": "<container/>"}), "a.epub")
