"""Quotes for a question, found with the hash embedder; and what stays unanswered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from api.answer import evidence
from api.answer.align import Aligner
from api.answer.claims import Claims, place_before_stop
from api.answer.extractive import readable
from api.answer.select import select
from api.answer.types import Cited
from retrieval.embedder import HashEmbedder
from retrieval.queries import Explanation, Hit, LegScore
from retrieval.types import Place
from retrieval.verify import MIN_SUPPORT, Verifier

EMBEDDER = HashEmbedder()
TEXT = (
    "The workshop opens at nine. Visitors may watch the clockmaker. He repairs longcase clocks."
    " The pendulum of a longcase clock beats once a second. Nobody may touch it."
)


def hit_of(text: str, *, ordinal: int = 0, found: float = 0.8) -> Hit:
    legs = LegScore(1, found), LegScore(1, 20 * found)
    return Hit(
        vector_store_id="vs_1", file_id="file-1", filename="clocks.txt", attributes={},
        chunk_ordinal=ordinal, text=text, score=found, start_char=1000 * ordinal,
        end_char=1000 * ordinal + len(text), place=Place(), heading_path=(),
        explanation=Explanation("scan", *legs, found, "q"),
    )  # fmt: skip


def no_blocks(_hit: Hit):
    return ()


def ask(question: str, *hits: Hit):
    return select(question, hits, embedder=EMBEDDER, blocks_of=no_blocks)


def test_first_quote_holds_the_answering_sentence():
    first = ask("How often does the pendulum of a longcase clock beat?", hit_of(TEXT))[0]
    assert "The pendulum of a longcase clock beats once a second." in first.quote
    assert TEXT[first.start_char : first.end_char] == first.quote
    assert 0 < first.score <= 1


def test_quote_is_of_whole_sentences_and_short():
    for citation in ask("When does the workshop open to visitors?", hit_of(TEXT * 3)):
        assert len(citation.quote) <= 400
        assert citation.quote.endswith(".")
        assert citation.quote[0].isupper()


def test_overlapping_hits_give_a_sentence_once():
    question = "How often does the pendulum of a longcase clock beat?"
    twice = (hit_of(TEXT), replace(hit_of(TEXT), chunk_ordinal=1))
    found = evidence.gather(question, twice, embedder=EMBEDDER, blocks_of=no_blocks)
    spans = [candidate.unit.start_char for candidate in found.candidates]
    assert len(spans) == len(set(spans)) == 5


def test_poorly_found_and_unlike_hits_give_no_quote():
    assert ask("Which bicycle won the marathon?", hit_of(TEXT, found=0.05)) == ()
    assert ask("Anything?") == ()


def test_number_of_embedded_sentences_is_bounded():
    long = " ".join(f"Sentence {n} tells of clock {n}." for n in range(500))
    found = evidence.gather("clock 499", [hit_of(long)], embedder=EMBEDDER, blocks_of=no_blocks)
    assert len(found.candidates) == evidence.MAX_UNITS
    assert any("clock 499" in candidate.text for candidate in found.candidates)
    more = [hit_of(TEXT, ordinal=n) for n in range(50)]
    found = evidence.gather("clock", more, embedder=EMBEDDER, blocks_of=no_blocks)
    assert len(found.candidates) <= evidence.MAX_UNITS


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many clocks are there?", "There are seven of them."),
        ("When did it strike?", "That was in March 1859."),
        ("Who built it?", "It was made by Edmund Denison."),
    ],
)
def test_kind_of_thing_asked_for_counts(question, text):
    hits = [hit_of(f"{text} So it is said.")]
    found = evidence.gather(question, hits, embedder=EMBEDDER, blocks_of=no_blocks)
    columns = [list(evidence.WEIGHTS).index(name) for name in ("number", "date", "name")]
    signs = evidence.signs(question, found, embedder=EMBEDDER)[:, columns]
    assert signs.sum(axis=1).tolist() == [1.0, 0.0]


def test_long_texts_are_embedded_by_their_beginning():
    words = " ".join(["clock"] * 1000)
    vectors = evidence.embedded([words, "clock clock"], EMBEDDER)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)


# --- claims of a language model ---------------------------------------------------------------


def aligner(*hits: Hit) -> Aligner:
    return Aligner(hits, Verifier(EMBEDDER), no_blocks)


def test_supported_claim_is_aligned_and_invented_is_not():
    sources = aligner(hit_of(TEXT))
    best = sources.best("The pendulum of a longcase clock beats once a second.")
    assert best is not None
    assert best.score >= MIN_SUPPORT
    assert "beats once a second" in best.quote
    assert sources.best("Bananas are radioactive vehicles of justice.") is None
    assert sources.best("Yes.") is None


def test_claim_with_another_number_is_supported_less():
    sources = aligner(hit_of("The tower was built in 1859 by the workers of the town."))
    right = sources.within("The tower was built in 1859.", "file-1:0")
    wrong = sources.within("The tower was built in 1958.", "file-1:0")
    assert right.score > wrong.score + 0.2


def test_marker_gets_the_sentence_of_its_source_that_supports_it():
    found = aligner(hit_of(TEXT)).within("It opens at nine.", "file-1:0")
    assert "opens at nine" in found.quote


def test_each_unmarked_sentence_is_aligned_once_it_is_over():
    claims = Claims(aligner(hit_of(TEXT)), align_unmarked=True)
    pieces = ["The workshop opens ", "at nine. ", "He repairs longcase clocks."]
    written = [each for piece in pieces for each in claims.text(piece)]
    written += claims.finish()
    cited = [each for each in written if isinstance(each, Cited)]
    assert [each.index for each in cited] == [26, 54]
    assert "".join(each for each in written if isinstance(each, str)) == "".join(pieces)


def test_no_sentence_is_aligned_once_the_model_marks():
    claims = Claims(aligner(hit_of(TEXT)), align_unmarked=True)
    written = [*claims.text("It opens at nine"), *claims.marker(("file-1:0",))]
    written += [*claims.text(". He repairs longcase clocks."), *claims.finish()]
    assert [each.index for each in written if isinstance(each, Cited)] == [16]


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("The capital of France is Paris.", 30),
        ("Paris", 5),
        ("Paris. ", 5),
        ('He said "Paris."', 14),
        ("Really?!", 6),
        ("...", 3),
        ("", 0),
    ],
)
def test_citation_stands_before_the_closing_stop(text, index):
    assert place_before_stop(text) == index


def test_quotes_read_without_the_breaks_of_their_page():
    assert readable("It opens\nat nine.\nName | Age\nAda | 36") == (
        "It opens at nine.\nName | Age\nAda | 36"
    )
