"""docs/COMPATIBILITY.md says what the two documents say, and why what is missing is missing."""

from __future__ import annotations

import tomllib

from compatibility import HERE, TARGET, page, tables


def test_the_table_is_current():
    assert TARGET.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_everything_that_is_not_served_has_its_reason():
    rows = [row for _, lists in tables() for rows in lists for row in rows]
    assert len(rows) > 300
    assert [row.name for row in rows if row.state != "served" and not row.note] == []


def test_files_stores_and_search_are_served_whole():
    for title, lists in tables():
        if title.startswith(("Files", "Uploads", "Vector stores")):
            absent = [row.name for rows in lists for row in rows if row.state != "served"]
            assert {name.partition("(")[2] for name in absent} <= {"other)`"}, title


def test_no_note_is_left_over():
    """A note on something by its whole name must find it."""
    told = {row.note for _, lists in tables() for rows in lists for row in rows}
    notes = tomllib.loads((HERE / "compatibility.toml").read_text(encoding="utf-8"))
    unused = [
        (table, key) for table, found in notes.items() for key, text in found.items()
        if text not in told
    ]  # fmt: skip
    assert unused == []
