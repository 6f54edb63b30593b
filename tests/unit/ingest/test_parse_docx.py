import io
import zipfile

import docx
import pytest
from document_checks import outline
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from retrieval.errors import FileFailed, NoText, Unreadable

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"


def saved(document: docx.document.Document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def package(body: str, *, namespace: str = W, **parts: str) -> bytes:
    """The smallest file that may be called DOCX: no styles, no relationships."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "word/document.xml",
            f'<w:document xmlns:w="{namespace}"><w:body>{body}</w:body></w:document>',
        )
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def sample() -> bytes:
    document = docx.Document()
    document.core_properties.title = "House rules"
    document.add_heading("House rules", 0)
    document.add_heading("Quiet hours", 1)
    paragraph = document.add_paragraph("From 22:00")
    paragraph.add_run(" to 6:00.").bold = True
    paragraph.add_run().add_break()
    paragraph.add_run("Every day.")
    document.add_paragraph("No drums", style="List Bullet")
    document.add_paragraph("No dancing", style="List Number")
    document.add_heading("Fees", 2)
    table = document.add_table(rows=3, cols=3)
    for row, texts in enumerate(
        [("Kind", "First", "Later"), ("Noise", "50", "80"), ("", "", "9")]
    ):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    document.add_heading("Bins", 1)
    document.add_paragraph("On Mondays.")
    document.sections[0].header.paragraphs[0].text = "Flat owners"
    document.sections[0].footer.paragraphs[0].text = "Version 3"
    return saved(document)


def test_document_in_order_with_margins_at_the_end(parsed):
    document = parsed(sample(), "rules.docx")
    assert document.title == "House rules"
    assert outline(document) == [
        ("heading", "House rules"),
        ("heading", "Quiet hours"),
        ("paragraph", "From 22:00 to 6:00.\nEvery day."),
        ("list_item", "No drums"),
        ("list_item", "No dancing"),
        ("heading", "Fees"),
        ("table_row", "Kind; First; Later"),
        ("table_row", "Kind: Noise; First: 50; Later: 80"),
        ("table_row", "Kind: Noise; Later: 9"),
        ("heading", "Bins"),
        ("paragraph", "On Mondays."),
        ("other", "Flat owners"),
        ("other", "Version 3"),
    ]
    paths = [block.heading_path for block in document.blocks]
    assert paths[6] == ("House rules", "Quiet hours", "Fees")
    assert paths[10] == ("House rules", "Bins")
    assert paths[11] == ()


def test_heading_by_outline_level_without_any_style(parsed):
    body = (
        '<w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:r><w:t>Scope</w:t></w:r></w:p>'
        "<w:p><w:r><w:t>All.</w:t></w:r></w:p>"
    )
    document = parsed(package(body), "a.docx")
    assert outline(document) == [("heading", "Scope"), ("paragraph", "All.")]


@pytest.mark.parametrize("namespace", [W, STRICT])
def test_what_a_reader_does_not_see_is_left_out(parsed, namespace):
    body = (
        "<w:p><w:r><w:t>Kept</w:t><w:tab/><w:t>here</w:t><w:noBreakHyphen/><w:t>x</w:t></w:r>"
        "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t> new</w:t></w:r></w:ins>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    assert parsed(package(body, namespace=namespace), "a.docx").text == "Kept\there-x new"


def test_text_box_is_read_once(parsed):
    box = "<w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent>"
    body = (
        "<w:p><w:r><w:t>Around.</w:t></w:r><w:r>"
        f"<AlternateContent><Choice>{box}</Choice><Fallback><w:pict>{box}</w:pict></Fallback>"
        "</AlternateContent></w:r></w:p>"
    )
    assert parsed(package(body), "a.docx").text == "Around.\n\nIn a box"


def test_footnote_follows_the_paragraph_that_refers_to_it(parsed):
    body = (
        '<w:p><w:r><w:t>Claim.</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
        "<w:p><w:r><w:t>Next.</w:t></w:r></w:p>"
    )
    notes = f'<w:footnotes xmlns:w="{W}"><w:footnote w:id="2"><w:p><w:r><w:t>Source.</w:t></w:r></w:p></w:footnote></w:footnotes>'
    relationships = (
        '<Relationships><Relationship Id="r1" Type="http://x/footnotes" Target="footnotes.xml"/>'
        "</Relationships>"
    )
    content = package(
        body,
        **{"word__footnotes.xml": notes, "word___rels__document.xml.rels": relationships},
    )
    assert outline(parsed(content, "a.docx")) == [
        ("paragraph", "Claim."),
        ("other", "Source."),
        ("paragraph", "Next."),
    ]


def test_table_that_only_arranges_text_is_no_table(parsed):
    document = docx.Document()
    cell = document.add_table(rows=1, cols=1).cell(0, 0)
    cell.text = "First."
    cell.add_paragraph("Second.")
    assert outline(parsed(saved(document), "a.docx")) == [
        ("paragraph", "First."),
        ("paragraph", "Second."),
    ]


def test_stated_header_row_is_taken(parsed):
    document = docx.Document()
    table = document.add_table(rows=2, cols=2)
    for row, texts in enumerate([("2021", "2022"), ("5", "6")]):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    properties = table.rows[0]._tr.get_or_add_trPr()
    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    properties.append(mark)
    assert outline(parsed(saved(document), "a.docx"))[1] == ("table_row", "2021: 5; 2022: 6")


def test_blank_document_has_no_text(parsed):
    with pytest.raises(NoText, match="OCR"):
        parsed(saved(docx.Document()), "a.docx")


def test_document_without_its_main_part_is_unreadable(parsed):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/other.xml", "<x/>")
    with pytest.raises(Unreadable, match="main part"):
        parsed(buffer.getvalue(), "a.docx")


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_truncated_document_fails_cleanly(parsed, share):
    content = sample()
    with pytest.raises(FileFailed):
        parsed(content[: int(share * len(content))], "a.docx")


def test_damaged_bytes_fail_cleanly_or_lose_little(parsed):
    content = sample()
    for at in range(50, len(content), len(content) // 40):
        damaged = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        try:
            parsed(damaged, "a.docx")
        except FileFailed as error:
            assert str(error)  # noqa: PT017 - that it is this class is what is tested
