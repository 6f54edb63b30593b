import csv

import pytest
from document_checks import check_invariants, outline

from ingest.parse import parse_parts
from ingest.parse.parts import joined
from ingest.parse.tables import Cell, grid, header_row, render, rendered, spread
from retrieval.types import Place


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([["Name", "Age"], ["Bob", "5"]], 0),
        ([["Report", ""], ["Name", "Age"], ["Bob", "5"], ["Eve", "6"]], 1),
        ([["", "2022", "2021"], ["Sales", "5", "4"]], None),  # begins with a year
        ([["Year", "2022", "2021"], ["Sales", "5", "4"]], 0),
        ([["1", "2"], ["3", "4"]], None),
        ([["a", "a"], ["b", "c"]], None),  # names of columns differ
        ([["Name:", "Bob"], ["Age:", "5"]], None),  # names stand in the first column
        ([["Name", "Age"]], None),  # nothing below
        ([["only"], ["one"]], None),
        ([], None),
        ([["2024-01-05", "x"], ["2024-01-06", "y"]], None),
        ([["$1,200.50", "(3.5 %)"], ["a", "b"]], None),
    ],
)
def test_header_is_the_first_full_row_of_names(rows, expected):
    assert header_row(rows) == expected


def test_row_is_rendered_with_its_headers_and_without_empty_cells():
    assert render(["Bob", "", "5", "extra"], ["Name", "Town", "Age"]) == "Name: Bob; Age: 5; extra"
    assert render(["", ""], ["a", "b"]) == ""


def test_cells_over_rows_are_repeated_and_cells_over_columns_are_not():
    rows = [
        [Cell("Team", n_rows=2), Cell("Cups", n_columns=2)],
        [Cell("home"), Cell("away")],
        [Cell("Blues"), Cell("1"), Cell("2", n_rows=2)],
        [Cell("Reds"), Cell("3")],
    ]
    assert grid(rows) == [
        ["Team", "Cups", ""],
        ["Team", "home", "away"],
        ["Blues", "1", "2"],
        ["Reds", "3", "2"],
    ]
    assert spread(["Team", "Cups", ""]) == ["Team", "Cups", "Cups"]


def test_stated_header_is_used_even_where_none_would_be_found():
    assert list(rendered([["1", "2"], ["3", "4"]], header=0)) == ["1; 2", "1: 3; 2: 4"]


def test_csv_becomes_a_block_a_record_with_rows_and_lines(parsed):
    document = parsed('Name,Note\r\nBob,"two\r\nlines"\r\n\r\nEve,"a, b"\r\n', "t.csv")
    assert outline(document) == [
        ("table_row", "Name; Note"),
        ("table_row", "Name: Bob; Note: two lines"),
        ("table_row", "Name: Eve; Note: a, b"),
    ]
    assert [block.place for block in document.blocks] == [
        Place(first_row=1, last_row=1, first_line=1, last_line=1),
        Place(first_row=2, last_row=2, first_line=2, last_line=3),
        Place(first_row=4, last_row=4, first_line=5, last_line=5),
    ]


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        ("Name;Age\nBob, Jr.;5\nEve;6\n", "t.csv"),
        ("Name\tAge\nBob, Jr.\t5\nEve\t6\n", "t.tsv"),
        ("Name\tAge\nBob, Jr.\t5\nEve\t6\n", "t.csv"),
        ("Name|Age\nBob, Jr.|5\nEve|6\n", "t.csv"),
    ],
)
def test_delimiter_is_found_out(parsed, content, filename):
    assert outline(parsed(content, filename))[1] == ("table_row", "Name: Bob, Jr.; Age: 5")


def test_rows_of_uneven_length_keep_all_cells(parsed):
    assert outline(parsed("a,b\n1\n2,3,4\n", "t.csv"))[1:] == [
        ("table_row", "a: 1"),
        ("table_row", "a: 2; b: 3; 4"),
    ]


def test_one_column_is_a_list_of_values(parsed):
    assert outline(parsed("apple\npear\n", "t.csv")) == [
        ("table_row", "apple"),
        ("table_row", "pear"),
    ]


def test_a_long_table_comes_in_parts_that_are_one_table(tmp_path):
    rows = [["Name", "Note"], *([f"n{n}", "two\nlines, and more " * 3] for n in range(30_000))]
    path = tmp_path / "long.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
    parts = list(parse_parts(path, filename="long.csv"))
    assert len(parts) > 1
    assert max(len(part.text) for part in parts) < 3 << 20
    whole = joined(parts)
    check_invariants(whole)
    assert len(whole.blocks) == len(rows)
    last = whole.blocks[-1]
    assert whole.text[last.start_char : last.end_char].startswith("Name: n29999; Note: two lines")
    assert (last.place.first_row, last.place.last_line) == (30_001, 1 + 30_000 * 4)
