"""Words that no file holds are written as the files write them; all others stay."""

from __future__ import annotations

import random

import pytest
from memory_store import EMBEDDER, STORE_ID, MemoryStore

from retrieval.queries import Query
from retrieval.rewrite import rewritten
from retrieval.search import search
from retrieval.snapshot import StoreIndex
from retrieval.spelling import corrected
from retrieval.view import View

TEXTS = (
    "The supersonic boundary layer separates behind the shock wave of the wing.",
    "Libraries lend catalogues and bibliographies to universities by interlibrary loan.",
    "Dietary cholesterol raises the risk of coronary disease in older patients.",
    "Error E-4012 means that the hydraulic pump lost pressure; replace the filter.",
    "Quarterly revenue and operating margin improved against restructuring charges.",
)


def world() -> tuple[MemoryStore, View]:
    store = MemoryStore()
    for n, text in enumerate(TEXTS):
        store.add(n, [text], {})
    return store, StoreIndex(STORE_ID, model_id="hash").catch_up(store)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("boundry layer", "boundary layer"),  # one lacks
        ("coronarry disease", "coronary disease"),  # one too many
        ("hydrualic pump", "hydraulic pump"),  # two swapped
        ("cholestarol", "cholesterol"),  # one changed
        ("bibliografies", "bibliographies"),  # two edits of a long word
        ("boundary layers", "boundary layers"),  # known by its stem
        ("E-4013 pump", "E-4013 pump"),  # a code is no word
        ("zyx Quetzalcoatl", "zyx Quetzalcoatl"),  # nothing is near
        ("teh wing", "teh wing"),  # too short to tell
    ],
)
def test_a_slip_of_the_pen_is_corrected_and_nothing_else(written: str, meant: str) -> None:
    assert corrected(*world(), written) == meant


def test_the_rewritten_query_is_run_and_named() -> None:
    store, view = world()
    query = Query(("What is the risk of cholestarol?",), rewrite=True)
    result = search(store, view, EMBEDDER, query, vector_store_id=STORE_ID)
    assert result.queries == ("risk of cholesterol",)
    assert result.hits[0].text == TEXTS[2]
    assert rewritten(store, view, ("boundry", "wing")) == ("boundary", "wing")


def test_most_seeded_slips_find_their_way_back() -> None:
    store, view = world()
    rng = random.Random(4)
    words = sorted({w.strip(".;") for text in TEXTS for w in text.lower().split() if len(w) > 6})
    found = 0
    for word in words * 3:
        place = rng.randrange(1, len(word) - 1)
        slip = rng.choice(
            (
                word[:place] + word[place + 1 :],
                word[:place] + word[place + 1] + word[place] + word[place + 2 :],
                word[:place] + rng.choice("aeiou") + word[place:],
            )
        )
        found += corrected(store, view, slip) == word or slip == word
    assert found >= 0.9 * len(words * 3)


def test_an_empty_store_corrects_nothing() -> None:
    store = MemoryStore()
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    assert corrected(store, view, "boundry layer") == "boundry layer"
