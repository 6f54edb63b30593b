"""Codes are found whole: 500 of them, among as many that differ in one digit."""

from __future__ import annotations

import random

import pytest
from memory_store import EMBEDDER, STORE_ID, MemoryStore

from retrieval.analysis import identifiers, phrases, query_terms, terms
from retrieval.language import LANGUAGES, language_of
from retrieval.queries import Query
from retrieval.search import search
from retrieval.snapshot import StoreIndex

_FILLER = (
    "pump valve pressure inspect replace filter seal operator manual section notice supply",
    "motor voltage current limit relay panel switch cable fuse ground wiring diagram",
    "account invoice customer refund request status payment order delivery address",
)


def near(rng: random.Random, code: str) -> str:
    """The same code but for one digit."""
    place = rng.choice([i for i, c in enumerate(code) if c.isdigit()])
    other = rng.choice([d for d in "0123456789" if d != code[place]])
    return code[:place] + other + code[place + 1 :]


def a_code(rng: random.Random, n: int) -> str:
    makers = (
        lambda: f"E-{rng.randint(1000, 9999)}",
        lambda: f"CVE-{rng.randint(2001, 2026)}-{rng.randint(1000, 99999)}",
        lambda: f"AB{rng.randint(10, 99)}-{rng.randint(100, 999)}/{rng.choice('ABCD')}",
        lambda: f"max_{rng.choice(('pool', 'batch', 'retry'))}_size_{rng.randint(1, 999)}",
        lambda: (
            f"get{rng.choice(('User', 'Order', 'Item'))}By{rng.choice(('Id', 'Name'))}{rng.randint(1, 999)}"
        ),
        lambda: f"SN{rng.randint(10**6, 10**7 - 1)}",
        lambda: f"{rng.randint(100, 999)}.{rng.randint(100, 999)}.{rng.randint(10, 99)}",
    )
    return makers[n % len(makers)]()


def sentence(rng: random.Random, code: str) -> str:
    words = rng.choices(rng.choice(_FILLER).split(), k=rng.randint(8, 40))
    words.insert(rng.randrange(len(words)), code)
    return " ".join(words).capitalize() + "."


def test_an_exact_identifier_is_the_first_hit() -> None:
    rng = random.Random(20)
    wanted = list(dict.fromkeys(a_code(rng, n) for n in range(560)))[:500]
    every = set(wanted)
    while len(every) < 1000:
        every.add(near(rng, rng.choice(wanted)))
    codes = sorted(every)
    rng.shuffle(codes)
    store = MemoryStore()
    for n in range(50):  # twenty a file, some of them in long files
        texts = [sentence(rng, code) for code in codes[20 * n : 20 * n + 20]]
        padding = [sentence(rng, "and") for _ in range(30 if n % 10 == 0 else 0)]
        store.add(n, [*texts, *padding], {}, chunk_windows=1)
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    asked = ("{}", "what does {} mean", "Where is {} described?")
    missed = []
    for n, code in enumerate(wanted):
        query = Query((asked[n % 3].format(code),), limit=1)
        hits = search(store, view, EMBEDDER, query, vector_store_id=STORE_ID).hits
        if code.casefold() not in hits[0].text.casefold().replace(".", " ").split() and (
            code.casefold() not in hits[0].text.casefold().rstrip(".").split()
        ):
            missed.append(code)
    assert len(missed) <= 5, missed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What is E-4012?", ["e-4012"]),
        ("CVE-2024-3094 and AB12-345/C", ["cve-2024-3094", "ab12-345/c"]),
        ("call get_user_name or readFile2", ["get_user_name", "readfile2"]),
        ("revenue in 2023 was 1,577.50", []),
        ("a well-known end-to-end test, isn't it", []),
    ],
)
def test_what_counts_as_an_identifier(text: str, found: list[str]) -> None:
    assert identifiers(text) == found


def test_no_token_is_too_odd_to_be_looked_at() -> None:
    rng = random.Random(1)
    for _ in range(5000):
        text = "".join(rng.choices("aB1_-./:@'’ß水\"", k=rng.randint(1, 8)))
        assert all(identifiers(text))
        assert all(query_terms(text))
        assert all(phrases(text))


def test_codes_in_a_list_are_found_one_by_one() -> None:
    found = terms("see E-4012/E-4013 and a.b@example.com")
    assert {"e-4012", "e-4013", "a.b", "example.com"} <= set(found)


def test_a_quoted_phrase_comes_first() -> None:
    store = MemoryStore()
    words = [
        "net",
        "interest",
        "income",
        "and",
        "other",
        "income",
        "from",
        "interest",
        "on",
        "net",
        "assets",
    ]
    rng = random.Random(3)
    for n in range(60):
        store.add(n, [" ".join(rng.sample(words, 9))], {})
    store.add(
        99, ["Long report. The net-interest income of the year fell against other years."], {}
    )
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    query = Query(('income "net interest income" fell',), limit=3)
    hits = search(store, view, EMBEDDER, query, vector_store_id=STORE_ID).hits
    holding = [hit.explanation.features["phrase"] for hit in hits]
    assert holding[0] == 1.0
    assert all(
        "net interest income" in hit.text.lower().replace("-", " ")
        for hit, held in zip(hits, holding, strict=True)
        if held
    )
    assert phrases('say "net interest income" or „Haus am See“') == [
        ["net", "interest", "incom"],
        ["haus", "am", "see"],
    ]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("english", "The height of the tower is given in the table on the next page."),
        ("german", "Der Turm ist nicht so hoch wie das Haus, das auf dem Berg steht und für."),
        ("french", "La tour est plus haute que les maisons qui sont dans la rue et sur le pont."),
        ("spanish", "La torre es más alta que las casas que se ven por la calle con el puente."),
        ("russian", "В городе не было и на улице, что как это из для от."),
        ("english", "x = 5"),
        ("english", ""),
    ],
)
def test_the_language_of_a_text(language: str, text: str) -> None:
    assert LANGUAGES[language_of([text])] == language


def test_german_words_are_found_in_any_form() -> None:
    store = MemoryStore()
    text = "Die Häuser auf dem Berg sind nicht mit dem Turm verbunden und für die Stadt wichtig."
    store.add(1, [text], {}, filename="eins.txt")
    store.add(2, ["Der Fluss ist nicht tief und die Brücke auf dem Weg für das Dorf ist alt."], {})
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    assert view.languages == ("german",)
    hits = search(store, view, EMBEDDER, Query(("Haus",)), vector_store_id=STORE_ID).hits
    assert hits[0].text == text
    assert hits[0].explanation.keyword.score > 0
    assert query_terms("Häuser", ("english", "german")) == ["häuser", "haus"]


def test_words_of_headings_and_titles_count() -> None:
    store = MemoryStore()
    store.add(1, ["It opens at nine.", "It opens at ten."], {}, chunk_windows=1)
    store.head(1, ["Opening hours", "Opening hours\nLibrary"], title="Town guide")
    store.add(2, ["It opens never."], {}, chunk_windows=1)
    view = StoreIndex(STORE_ID, model_id="hash").catch_up(store)
    query = Query(("library",), ranker="none")
    hits = search(store, view, EMBEDDER, query, vector_store_id=STORE_ID).hits
    assert (hits[0].id, hits[1].explanation.keyword.score) == ("file-1:1", 0)
    query = Query(("town",), ranker="none")
    hits = search(store, view, EMBEDDER, query, vector_store_id=STORE_ID).hits
    assert [hit.explanation.keyword.score > 0 for hit in hits] == [True, True, False]
