"""Markers go, in every style and at every split of the stream."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.answer.markers import Marker, MarkerFilter


def read(text: str, *, cuts: list[int] | None = None, json: bool = False):
    """The clean text, and each marker's references with its place in that text."""
    stripped = MarkerFilter(json=json)
    borders = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts or [])})
    pieces = []
    for start, end in itertools.pairwise(borders):
        pieces.extend(stripped.feed(text[start:end]))
    pieces.extend(stripped.finish())
    clean, found = "", []
    for piece in pieces:
        if isinstance(piece, Marker):
            found.append((len(clean), piece.references))
        else:
            assert piece
            clean += piece
    return clean, found


@pytest.mark.parametrize(
    ("text", "clean", "found"),
    [
        ("Paris [1].", "Paris.", [(5, (1,))]),
        ("Paris[1].", "Paris.", [(5, (1,))]),
        ("Paris. [1] It is", "Paris. It is", [(6, (1,))]),
        ("Paris [1, 2].", "Paris.", [(5, (1, 2))]),
        ("Paris [1-3].", "Paris.", [(5, (1, 2, 3))]),
        ("Paris [1][2].", "Paris.", [(5, (1,)), (5, (2,))]),
        ("Paris [1], [2].", "Paris.", [(5, (1,)), (5, (2,))]),
        ("Paris [1], and [2] is", "Paris is", [(5, (1,)), (5, (2,))]),
        ("Paris [Source 2].", "Paris.", [(5, (2,))]),
        ("Paris [^2].", "Paris.", [(5, (2,))]),
        ("Paris (source 1).", "Paris.", [(5, (1,))]),
        ("Paris (Sources: 1, 2).", "Paris.", [(5, (1, 2))]),
        ("Paris ([1]).", "Paris.", [(5, (1,))]),
        ("Paris (see source 3).", "Paris.", [(5, (3,))]),
        ("Paris 【4:0†source】.", "Paris.", [(5, (1,))]),
        ("Paris 【2†source】.", "Paris.", [(5, (2,))]),
        ("Paris 【2】.", "Paris.", [(5, (2,))]),
        ("Paris 【guide.pdf】.", "Paris.", [(5, ("guide.pdf",))]),
        ("Paris 【guide.pdf†L1-L3】.", "Paris.", [(5, ("guide.pdf",))]),
        ("Paris [1†L2-L5].", "Paris.", [(5, (1,))]),
        ("Paris <|file-abc|>.", "Paris.", [(5, ("file-abc",))]),
        ("Paris.<|im_end|>", "Paris.", [(6, ())]),
        ("Paris \ue200filecite\ue202turn0file0\ue202turn0file3\ue201.", "Paris.", [(5, (1, 4))]),
        (
            "[1] Paris is it.\n[2] So is Rome.",
            "Paris is it.\nSo is Rome.",
            [(0, (1,)), (13, (2,))],
        ),
        ("Paris [1] and Rome [2].", "Paris and Rome.", [(5, (1,)), (14, (2,))]),
        ("Paris [1] andes", "Paris andes", [(5, (1,))]),
    ],
)
def test_style_is_read_and_removed(text, clean, found):
    assert read(text) == (clean, found)


@pytest.mark.parametrize(
    "text",
    [
        "In [the] list (of sources) it said [1",
        "See (section 2) and the year [2019].",
        "if a < b and [x] == (y): pass",
        "(see [x] for more)",
        "【注意】請看",
        "a <b> c <",
        "",
        "trailing space ",
        "[]",
        "(1)",
    ],
)
def test_text_that_only_looks_like_a_marker_stays(text):
    assert read(text) == (text, [])


def test_marker_that_never_closes_never_shows_if_it_is_certainly_one():
    assert read("Paris 【4:0†sour") == ("Paris", [])
    assert read("Paris \ue200filecite\ue202turn0") == ("Paris", [])


def test_private_characters_never_show():
    clean, _ = read("a\ue202b \ue200" + "x" * 500 + "\n\ue201")
    assert not set(clean) & set("\ue200\ue201\ue202")


def test_arrays_of_json_stay_and_markers_in_its_strings_go():
    clean, found = read('{"n": [1, 2], "a": "say \\" it [2].", "b": [1]}', json=True)
    assert clean == '{"n": [1, 2], "a": "say \\" it.", "b": [1]}'
    assert found == [(29, (2,))]


def test_long_text_without_a_marker_is_not_held():
    stripped = MarkerFilter()
    assert list(stripped.feed("Paris is the capital")) == ["Paris is the capital"]


PARTS = st.sampled_from(
    [
        "[1]",
        "[",
        "]",
        "1",
        " ",
        "\n",
        "(source 2)",
        "(",
        ")",
        "【4:0†source】",
        "【",
        "】",
        "†",
        "<|file-a|>",
        "<|",
        "|>",
        "<",
        "\ue200filecite\ue202turn0file1\ue201",
        "\ue200",
        "\ue201",
        "and",
        ", ",
        "an",
        "a",
        "word",
        ".",
        '"',
        "\\",
        "source",
        "([1], [2])",
        "é",
        "中",
    ]
)


@given(st.lists(PARTS, max_size=12).map("".join), st.lists(st.integers(0, 80)), st.booleans())
def test_any_split_gives_the_same_result(text, cuts, json):
    assert read(text, cuts=cuts, json=json) == read(text, json=json)
    assert read(text, cuts=list(range(len(text))), json=json) == read(text, json=json)
