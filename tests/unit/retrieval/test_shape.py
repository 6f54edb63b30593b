"""What is shown of overlapping hits, with neighbours, within a budget."""

from __future__ import annotations

from itertools import pairwise

import pytest
from memory_store import EMBEDDER, STORE_ID, MemoryStore

from retrieval.errors import InvalidQuery
from retrieval.queries import Hit, Query
from retrieval.search import search
from retrieval.shape import Shown, trimmed
from retrieval.snapshot import StoreIndex


def test_only_what_is_new_is_shown() -> None:
    shown = Shown()
    assert shown.take(1, (0, 1000)) == (0, 1000)
    assert shown.take(1, (500, 1500)) == (1000, 1500)
    assert shown.take(2, (500, 1500)) == (500, 1500)  # another file
    assert shown.take(1, (2000, 3000)) == (2000, 3000)
    assert shown.take(1, (1200, 2300)) == (1500, 2000)  # between two
    assert shown.take(1, (0, 3000)) is None  # nothing is left
    assert shown.take(1, (2900, 3020)) is None  # 20 characters tell nothing
    assert shown.take(1, (2990, 3190)) == (3000, 3190)  # most of a short chunk does


def test_of_two_ends_the_longer_is_shown() -> None:
    shown = Shown()
    shown.take(1, (400, 600))
    assert shown.take(1, (0, 1200)) == (600, 1200)


def test_a_span_follows_its_text() -> None:
    assert trimmed("\n a b \n", (5, 12)) == ("a b", (7, 10))


def a_book() -> MemoryStore:
    store = MemoryStore()
    places = "harbour market chapel mill bridge tower orchard meadow quarry station".split()  # noqa: SIM905
    for n in range(3):
        store.add(
            n,
            [f"Part {n} of the story is about the {place}. " * 8 for place in places],
            {},
            chunk_windows=4,
        )
    return store


def found(query: Query) -> tuple[Hit, ...]:
    store = a_book()
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    hits = search(store, view, EMBEDDER, query, vector_store_id=STORE_ID).hits
    for hit in hits:
        file_n = int(hit.file_id.removeprefix("file-"))
        assert store.files[file_n].text[hit.start_char : hit.end_char] == hit.text
    return hits


def overlaps(hits: tuple[Hit, ...]) -> bool:
    for file_id in {hit.file_id for hit in hits}:
        spans = sorted((h.start_char, h.end_char) for h in hits if h.file_id == file_id)
        if any(a[1] > b[0] for a, b in pairwise(spans)):
            return True
    return False


@pytest.mark.parametrize("neighbours", [0, 1, 3])
def test_no_text_of_a_file_is_shown_twice(neighbours: int) -> None:
    for text in ("chapel mill", "story of the tower", "station"):
        hits = found(Query((text,), limit=50, neighbours=neighbours))
        assert len(hits) >= 6
        assert not overlaps(hits)
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)


def test_neighbours_widen_a_hit() -> None:
    plain = found(Query(("part 1 bridge",), limit=1))[0]
    wide = found(Query(("part 1 bridge",), limit=1, neighbours=1))[0]
    assert wide.id == plain.id
    assert wide.start_char <= plain.start_char
    assert plain.end_char <= wide.end_char
    assert len(wide.text) > len(plain.text)


def test_a_budget_ends_the_hits_and_the_first_always_comes() -> None:
    every = found(Query(("chapel",), limit=10))
    some = found(Query(("chapel",), limit=10, max_tokens=3000))
    assert 0 < len(some) < len(every)
    assert [hit.id for hit in some] == [hit.id for hit in every[: len(some)]]
    (one,) = found(Query(("chapel",), limit=10, max_tokens=5))
    assert every[0].text.startswith(one.text)
    assert 0 < len(one.text) < 40


def test_a_page_of_ten_begins_a_page_of_fifty() -> None:
    ten = [(hit.id, hit.score) for hit in found(Query(("quarry",), limit=3))]
    fifty = [(hit.id, hit.score) for hit in found(Query(("quarry",), limit=50))]
    assert fifty[:3] == ten


@pytest.mark.parametrize("wrong", [{"neighbours": 11}, {"neighbours": -1}, {"max_tokens": 0}])
def test_values_out_of_range_are_named(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidQuery, match=next(iter(wrong))):
        Query(("q",), **wrong)  # type: ignore[arg-type]
