import pytest
from packages import compound, old_workbook

from ingest.detect import detect
from retrieval.errors import NoText, Unreadable
from retrieval.types import Place


def test_rows_of_an_old_workbook_have_header_sheet_and_number(parsed):
    content = old_workbook([["Team", "Cups"], ["Blües", 1.0], [], ["Reds", 2.5]])
    document = parsed(content, "a.xls")
    assert document.media_type == "application/vnd.ms-excel"
    assert document.text == "Cups\n\nTeam; Cups\nTeam: Blües; Cups: 1\nReds; 2.5"
    assert document.blocks[2].place == Place(sheet="Cups", first_row=2, last_row=2)
    assert document.blocks[3].place == Place(sheet="Cups", first_row=4, last_row=4)


def test_empty_workbook_has_no_text(parsed):
    with pytest.raises(NoText):
        parsed(old_workbook([]), "a.xls")


def test_damaged_workbook_is_unreadable(parsed):
    with pytest.raises(Unreadable, match="XLSX"):
        parsed(compound({"Workbook": b"\x09\x08nothing"}), "a.xls")


def test_type_is_told_by_the_streams_and_not_by_the_name():
    assert detect(old_workbook([["a"]]), "a.doc") == "application/vnd.ms-excel"
