import datetime as dt
import io
import zipfile

import openpyxl
import pytest
from document_checks import outline

from ingest.parse.xlsx_numbers import shown
from retrieval.errors import FileFailed, NoText
from retrieval.types import Place


@pytest.mark.parametrize(
    ("value", "number_format", "expected"),
    [
        (3.0000000004, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (1e-7, "General", "1e-07"),
        (123456789012, "General", "123456789012"),
        (1e300, "General", "1e+300"),
        (1234.5, "#,##0.00", "1,234.50"),
        (1234.5, "0", "1235"),  # a half goes up, as in Excel
        (2.5, "0", "3"),
        (-0.125, "0.00", "-0.13"),
        (1e22, "0.00", "10000000000000000000000"),
        (0.125, "0%", "13%"),
        (0.1234, "0.0%", "12.3%"),
        (5, "$#,##0.00", "$5.00"),
        (-5, '"$"#,##0.00;[Red]-"$"#,##0.00', "-$5.00"),
        (5.5, "#,##0.00 [$€-407]", "5.50 €"),
        (7, "@", "7"),
        (True, "General", "TRUE"),
        (None, "General", ""),
        (dt.datetime(2024, 3, 1), "d-mmm-yy", "2024-03-01"),  # noqa: DTZ001 - cells have no zone
        (dt.datetime(2024, 3, 1, 14, 5), "d-mmm-yy", "2024-03-01 14:05:00"),  # noqa: DTZ001
        (dt.date(2024, 3, 1), "d", "2024-03-01"),
        (dt.time(14, 5), "h:mm", "14:05:00"),
        (dt.timedelta(hours=30), "[h]:mm", "1 day, 6:00:00"),
        (float("inf"), "0", "inf"),
    ],
)
def test_number_is_what_a_person_sees(value, number_format, expected):
    assert shown(value, number_format) == expected


def sample() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sales"
    rows = [
        ["Report 2024"],
        ["Region", "Day", "Sum"],
        ["North", dt.date(2024, 1, 5), 1200.5],
        ["South", None, 7],
    ]
    for row in rows:
        sheet.append(row)
    sheet["C3"].number_format = "#,##0.00"
    sheet["A6"], sheet["B6"] = "second", "table"
    sheet["A7"], sheet["B7"] = 1, 2
    book.create_sheet("Empty")
    book.create_sheet("Notes")["B2"] = "see  also\nNorth"
    book.properties.title = "Sales of 2024"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def strict(content: bytes) -> bytes:
    """The same workbook in the strict dialect, as Excel can save it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            part = part.replace(
                b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
                b"http://purl.oclc.org/ooxml/spreadsheetml/main",
            )
            new.writestr(
                name,
                part.replace(
                    b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
                    b"http://purl.oclc.org/ooxml/officeDocument/relationships",
                ),
            )
    return buffer.getvalue()


@pytest.mark.parametrize("dialect", [lambda content: content, strict])
def test_workbook_is_a_block_a_row_under_its_sheet(parsed, dialect):
    document = parsed(dialect(sample()), "sales.xlsx")
    assert outline(document) == [
        ("heading", "Sales"),
        ("table_row", "Report 2024"),
        ("table_row", "Region; Day; Sum"),
        ("table_row", "Region: North; Day: 2024-01-05; Sum: 1,200.50"),
        ("table_row", "Region: South; Sum: 7"),
        ("table_row", "second; table"),
        ("table_row", "second: 1; table: 2"),
        ("heading", "Notes"),
        ("table_row", "see also North"),
    ]


def test_rows_keep_sheet_and_number(parsed):
    document = parsed(sample(), "sales.xlsx")
    assert document.title == "Sales of 2024"
    assert document.blocks[0].place == Place(sheet="Sales")
    assert document.blocks[3].place == Place(sheet="Sales", first_row=3, last_row=3)
    assert document.blocks[-1].place == Place(sheet="Notes", first_row=2, last_row=2)
    assert document.blocks[-1].heading_path == ("Notes",)


def test_formula_counts_with_the_value_it_was_saved_with(parsed):
    book = openpyxl.Workbook()
    book.active["A1"] = "=1+1"
    book.active["A2"] = "text"
    buffer = io.BytesIO()
    book.save(buffer)
    content = io.BytesIO()
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():  # openpyxl computes nothing: put the value that Excel would
            new.writestr(
                name,
                old.read(name)
                .replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>")
                .replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>"),
            )
    assert outline(parsed(content.getvalue(), "a.xlsx"))[1] == ("table_row", "2")


def test_empty_workbook_has_no_text(parsed):
    buffer = io.BytesIO()
    openpyxl.Workbook().save(buffer)
    with pytest.raises(NoText, match="cells are empty"):
        parsed(buffer.getvalue(), "a.xlsx")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated_workbook_fails_cleanly(parsed, share):
    content = sample()
    with pytest.raises(FileFailed):
        parsed(content[: int(share * len(content))], "a.xlsx")


def test_damaged_bytes_fail_cleanly_or_lose_little(parsed):
    content = sample()
    for at in range(50, len(content), len(content) // 40):
        damaged = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        try:
            parsed(damaged, "a.xlsx")
        except FileFailed as error:
            assert str(error)  # noqa: PT017 - that it is this class is what is tested
