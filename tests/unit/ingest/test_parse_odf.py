import pytest
from document_checks import outline
from packages import NAMESPACES, open_document, zipped

from retrieval.errors import Encrypted, NoText, Unreadable
from retrieval.types import Place


def test_text_with_headings_lists_tables_and_notes(parsed):
    body = """<office:text>
      <text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>
      <text:h text:outline-level="1">Foxes</text:h>
      <text:p>Red<text:s text:c="2"/>fox<text:tab/>runs<text:note><text:note-citation>1
        </text:note-citation><text:note-body><text:p>Not always.</text:p></text:note-body>
        </text:note> far.<draw:frame><draw:text-box><text:p>In a box.</text:p></draw:text-box>
        </draw:frame></text:p>
      <text:h text:outline-level="2">Food</text:h>
      <text:list><text:list-item><text:p>Mice</text:p></text:list-item></text:list>
      <table:table><table:table-row>
        <table:table-cell><text:p>Team</text:p></table:table-cell>
        <table:table-cell><text:p>Cups</text:p></table:table-cell></table:table-row>
      <table:table-row>
        <table:table-cell><text:p>Blues</text:p></table:table-cell>
        <table:table-cell><text:p>1</text:p></table:table-cell></table:table-row></table:table>
    </office:text>"""
    document = parsed(open_document("text", body), "a.odt")
    assert outline(document) == [
        ("heading", "Foxes"),
        ("paragraph", "Red  fox\truns far."),
        ("other", "Not always."),
        ("paragraph", "In a box."),
        ("heading", "Food"),
        ("list_item", "Mice"),
        ("table_row", "Team; Cups"),
        ("table_row", "Team: Blues; Cups: 1"),
    ]
    assert document.blocks[5].heading_path == ("Foxes", "Food")
    assert document.title == "Foxes"


def test_footer_comes_once_and_last(parsed):
    styles = (
        "<style:master-page><style:footer><text:p>Draft</text:p></style:footer>"
        "<style:footer-left><text:p>Draft</text:p></style:footer-left></style:master-page>"
    )
    body = "<office:text><text:p>Text.</text:p></office:text>"
    document = parsed(open_document("text", body, styles=styles), "a.odt")
    assert outline(document) == [("paragraph", "Text."), ("other", "Draft")]


def test_sheet_rows_keep_their_numbers_through_repeated_ones(parsed):
    body = """<office:spreadsheet><table:table table:name="Cups">
      <table:table-row><table:table-cell><text:p>Team</text:p></table:table-cell>
        <table:table-cell><text:p>Cups</text:p></table:table-cell>
        <table:table-cell table:number-columns-repeated="16000"/></table:table-row>
      <table:table-row table:number-rows-repeated="2"><table:table-cell><text:p>Blues</text:p>
        </table:table-cell><table:table-cell><text:p>1</text:p></table:table-cell>
        </table:table-row>
      <table:table-row table:number-rows-repeated="1048000"><table:table-cell/></table:table-row>
      <table:table-row><table:table-cell><text:p>End</text:p></table:table-cell></table:table-row>
    </table:table></office:spreadsheet>"""
    document = parsed(open_document("spreadsheet", body), "a.ods")
    assert document.text == "Cups\n\nTeam; Cups\nTeam: Blues; Cups: 1\nEnd"
    assert [block.place for block in document.blocks[1:]] == [
        Place(sheet="Cups", first_row=1, last_row=1),
        Place(sheet="Cups", first_row=2, last_row=3),
        Place(sheet="Cups", first_row=1048004, last_row=1048004),
    ]


def test_slides_have_titles_and_notes(parsed):
    body = """<office:presentation><draw:page><draw:frame presentation:class="outline">
      <draw:text-box><text:p>Point</text:p></draw:text-box></draw:frame>
      <draw:frame presentation:class="title"><draw:text-box><text:p>First</text:p>
      </draw:text-box></draw:frame><presentation:notes><draw:frame><draw:text-box>
      <text:p>Say it.</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>
      </office:presentation>"""
    document = parsed(open_document("presentation", body), "a.odp")
    assert outline(document) == [
        ("heading", "First"),
        ("paragraph", "Point"),
        ("other", "Say it."),
    ]
    assert {block.place for block in document.blocks} == {Place(first_slide=1, last_slide=1)}
    assert document.n_pages == 1


def test_password_is_told(parsed):
    body = "<office:text/>"
    manifest = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    with pytest.raises(Encrypted, match="without one"):
        parsed(open_document("text", body, manifest=manifest), "a.odt")


def test_blank_and_damaged_files_fail_with_their_reason(parsed):
    with pytest.raises(NoText):
        parsed(open_document("text", "<office:text/>"), "a.odt")
    with pytest.raises(Unreadable, match=r"content\.xml"):
        parsed(zipped({"mimetype": "application/vnd.oasis.opendocument.text"}), "a.odt")
    whole = open_document("text", f"<office:text {NAMESPACES}><text:p>x</text:p></office:text>")
    with pytest.raises(Unreadable, match="zip"):
        parsed(whole[: len(whole) // 2], "a.odt")
