"""Kinds of answers, and the signs that a question is answered, with the hash embedder."""

from __future__ import annotations

import numpy as np
import pytest
from test_answer_select import EMBEDDER, TEXT, hit_of, no_blocks

from api.answer.evidence import WEIGHTS as SENTENCE_WEIGHTS
from api.answer.evidence import gather, signs
from api.answer.kinds import has_kind, kind_asked
from api.answer.support import MOST_DRAWN, WEIGHTS, support, support_signs
from api.wire.spelling import check_spelling
from retrieval.errors import InvalidRequest


@pytest.mark.parametrize(
    ("question", "there", "not_there"),
    [
        ("What colour is the door?", "It is painted dark green.", "It is painted every year."),
        ("How heavy is the bell?", "It weighs 13.7 tonnes.", "It is 2 metres high."),
        ("How much does the bell weigh?", "It has 13,700 kg.", "It is 2 metres high."),
        ("How tall is the tower?", "It rises 96 metres.", "It was built in 1859."),
        ("What does a ticket cost?", "It is 12 euros.", "It is valid for 12 days."),
        ("How hot is the oven?", "It reaches 220 °C.", "It is 60 cm wide."),
        ("How old is the oak?", "It has stood for 400 years.", "It is 20 metres tall."),
        ("How many rooms are there?", "There are nine.", "The rooms are large."),
        ("When was it built?", "It was finished in May 1859.", "It was built by Denison."),
    ],
)
def test_kind_that_is_asked_for(question, there, not_there):
    kind = kind_asked(question)
    assert kind is not None
    assert has_kind(kind, there, question=question)
    assert not has_kind(kind, not_there, question=question)


@pytest.mark.parametrize("question", ["Why does it stop?", "How does it work?", "Who built it?"])
def test_most_questions_ask_for_no_kind_in_particular(question):
    assert kind_asked(question) is None


def test_numbers_of_the_question_are_no_answer():
    question = "How many of the 12 bells ring?"
    assert not has_kind("number", "The 12 bells hang high.", question=question)
    assert has_kind("number", "Of the 12 bells 8 ring.", question=question)


def signs_of(question: str, *texts: str) -> dict[str, float]:
    hits = [hit_of(text, ordinal=n) for n, text in enumerate(texts)]
    evidence = gather(question, hits, embedder=EMBEDDER, blocks_of=no_blocks)
    seen = signs(question, evidence, embedder=EMBEDDER)
    odds = seen @ np.array(list(SENTENCE_WEIGHTS.values()))
    return support_signs(question, evidence, seen, odds, quote=texts[0], embedder=EMBEDDER)


def test_question_in_the_words_of_the_passage_lacks_nothing():
    found = signs_of("How often does the pendulum of a longcase clock beat?", TEXT)
    assert list(found) == list(WEIGHTS)
    assert found["other_kind"] == found["strange_names"] == 0
    assert found["lacking"] < 0.5


def test_strange_names_and_words_speak_against():
    near = signs_of("How often does the pendulum of a longcase clock beat?", TEXT)
    far = signs_of("How often does the pendulum of a Rolex in Wimbledon beat?", TEXT)
    assert far["strange_names"] == 2
    assert far["lacking"] > near["lacking"]
    assert support(far) < support(near)


def test_what_is_struck_altogether_says_little():
    found = signs_of("Bicycle marathon jamboree?", TEXT)
    assert found["lacking"] == pytest.approx(1.0)
    assert found["estranged"] >= -MOST_DRAWN


def test_long_questions_are_weighed_by_their_first_words():
    long = " ".join(f"word{n}" for n in range(500))
    found = signs_of(f"Which pendulum {long}?", TEXT)
    assert 0 <= found["lacking"] <= 1


@pytest.mark.parametrize("key", ["tmperature", "temperatures", "temperatvre", "temperatrue"])
def test_one_slip_is_a_misspelling(key):
    with pytest.raises(InvalidRequest, match="Did you mean 'temperature'"):
        check_spelling({key: 1}, {"temperature", "top_p"})


@pytest.mark.parametrize("key", ["temperature", "temper", "temprtre", "topp", "", "x" * 200])
def test_other_words_are_none(key):
    check_spelling({key: 1}, {"temperature", "top_p"})
    check_spelling({"tmperature": 1, "temperature": 2}, {"temperature"})
