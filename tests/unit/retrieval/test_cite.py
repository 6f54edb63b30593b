"""Units hold all of a hit's text, quotes stand where they say."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.cite import (
    MAX_QUOTE_CHARS,
    MAX_QUOTE_UNITS,
    Unit,
    cite,
    quote_around,
    text_units,
    units,
)
from retrieval.queries import Explanation, Hit, LegScore
from retrieval.types import Block, Place

LEG = LegScore(1, 0.5)
NOWHERE = Place()


def hit_of(text: str, *, start: int = 0, place: Place = NOWHERE) -> Hit:
    return Hit(
        vector_store_id="vs_1", file_id="file-1", filename="a.txt", attributes={},
        chunk_ordinal=3, text=text, score=0.9, start_char=start, end_char=start + len(text),
        place=place, heading_path=(), explanation=Explanation("scan", LEG, LEG, 0.5, "q"),
    )  # fmt: skip


def texts(hit: Hit, blocks=()) -> list[str]:
    start = hit.start_char
    return [hit.text[u.start_char - start : u.end_char - start] for u in units(hit, blocks)]


def test_rows_items_and_sentences_stand_alone():
    text = "It opens. It closes.\n\nName | Age\nAda | 36\n- first\n- second\n1. third"
    assert texts(hit_of(text)) == [
        "It opens.", "It closes.", "Name | Age", "Ada | 36", "- first", "- second", "1. third",
    ]  # fmt: skip


def test_broken_lines_of_prose_are_one_sentence():
    text = "This sentence was broken by the\npage that it stood on. This was not."
    assert texts(hit_of(text)) == [text.partition(". ")[0] + ".", "This was not."]


def test_blocks_decide_what_is_a_row_and_what_a_heading():
    text = "Opening. Hours\nMonday 9. Closed at noon. And 6.\nWe open. We close."
    blocks = (
        Block("heading", 0, 14),
        Block("table_row", 15, 47),
        Block("paragraph", 48, 66),
    )
    found = units(hit_of(text), blocks)
    assert [unit.is_heading for unit in found] == [True, False, False, False]
    assert texts(hit_of(text), blocks)[1:] == [
        "Monday 9. Closed at noon. And 6.", "We open.", "We close.",
    ]  # fmt: skip


def test_blocks_that_reach_beyond_the_hit_are_cut():
    text = "One is here. Two is here. Three is here."
    hit = hit_of(text[13:25], start=13)
    assert texts(hit, (Block("paragraph", 0, len(text)),)) == ["Two is here."]


def test_leading_dots_belong_to_the_line_before():
    assert texts(hit_of("Contents . . . . 7")) == ["Contents . . . .", "7"]


@given(st.text(alphabet="ab .!?\n|-1\t中。", max_size=80))
def test_units_hold_every_character_but_white_space(text):
    spans = text_units(text)
    assert all(start < end for start, end in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    held = "".join(text[start:end] for start, end in spans)
    assert "".join(held.split()) == "".join(text.split())


def test_quote_takes_the_better_neighbour_first_and_at_most_three():
    run = [Unit(i * 50, i * 50 + 49) for i in range(5)]
    assert quote_around(run, 2, [0.0, 0.1, 1.0, 0.9, 0.8]) == (2, 4)


def test_quote_keeps_within_its_length_but_never_cuts_a_unit():
    run = [Unit(0, 350), Unit(351, 900), Unit(901, 950)]
    assert quote_around(run, 1, [1.0, 1.0, 1.0]) == (1, 1)


@given(st.data())
def test_quote_holds_its_center_and_fits(data):
    lengths = data.draw(st.lists(st.integers(1, 500), min_size=1, max_size=8))
    run, position = [], 0
    for length in lengths:
        run.append(Unit(position, position + length))
        position += length + 1
    center = data.draw(st.integers(0, len(run) - 1))
    weights = data.draw(st.lists(st.floats(0, 1), min_size=len(run), max_size=len(run)))
    first, last = quote_around(run, center, weights)
    assert first <= center <= last
    assert last - first < MAX_QUOTE_UNITS
    assert first == last or run[last].end_char - run[first].start_char <= MAX_QUOTE_CHARS


def test_citation_is_the_documents_text_at_its_span():
    hit = hit_of("One. Two. Three.", start=100, place=Place(first_page=1, last_page=3))
    blocks = (
        Block("paragraph", 100, 104, Place(first_page=1, last_page=1)),
        Block("paragraph", 105, 116, Place(first_page=2, last_page=2)),
    )
    found = cite(hit, start_char=105, end_char=109, score=0.7, blocks=blocks)
    assert (found.quote, found.start_char, found.end_char) == ("Two.", 105, 109)
    assert found.place == Place(first_page=2, last_page=2)
    assert found.hit_id == "file-1:3"
    assert cite(hit, start_char=105, end_char=109, score=0.7).place == hit.place


@pytest.mark.parametrize("span", [(99, 104), (100, 117), (104, 104)])
def test_span_outside_of_its_hit_is_a_bug_of_the_caller(span):
    with pytest.raises(ValueError, match="not within"):
        cite(hit_of("One. Two. Three.", start=100), start_char=span[0], end_char=span[1], score=1)
