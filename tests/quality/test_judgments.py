"""Search and answers on the sample corpus: right passage, right page, exact quote, or silence.

A failure prints the questions that missed. Silence is also looked at on questions about documents
of other fields, which are harder: each document is of fifteen sentences on one subject, and most of
the questions that it does not answer are about that very subject.
"""

import pytest

from api.answer.extractive import NOT_TOLD
from retrieval.queries import Query
from retrieval.sentences import sentence_spans
from retrieval.types import PageRequest
from tests.quality.conftest import STORE
from tests.quality.fit_support import own_questions, plain, write_own

HIT_AT_1, HIT_AT_5, FIRST_QUOTE = 0.85, 0.97, 0.85
HELD, SILENT = 0.85, 0.90
# Of the other documents; what is reached, a little rounded down.
HELD_ELSEWHERE, SILENT_ELSEWHERE = 0.80, 0.58
MAX_SENTENCES, MAX_CHARS = 3, 400


@pytest.fixture(scope="module")
def answers(engine, judgments):
    """Question → answer, of every judged question."""
    return {each["question"]: engine.ask(each["question"], store=STORE) for each in judgments}


def answerable(judgments):
    return [each for each in judgments if each["answer"] is not None]


def holds(hit, judged):
    return hit.filename == judged["file"] and plain(judged["answer"]) in plain(hit.text)


def share(found):
    return sum(found.values()) / len(found)


def missed(found):
    return "\n".join(question for question, good in found.items() if not good)


def test_the_answering_passage_is_found(engine, judgments):
    store_id = engine.resolve_store(STORE).id
    ranks = {}
    for judged in answerable(judgments):
        hits = engine.search([store_id], Query((judged["question"],), limit=5)).hits
        places = (rank for rank, hit in enumerate(hits, start=1) if holds(hit, judged))
        ranks[judged["question"]] = next(places, None)
    first = {question: rank == 1 for question, rank in ranks.items()}
    fifth = {question: rank is not None for question, rank in ranks.items()}
    print(f"hit@1 {share(first):.3f}  hit@5 {share(fifth):.3f}  n {len(ranks)}")
    assert share(first) >= HIT_AT_1, missed(first)
    assert share(fifth) >= HIT_AT_5, missed(fifth)


def test_the_first_citation_quotes_the_answer(answers, judgments):
    found, wrong_pages, long_quotes = {}, [], []
    for judged in answerable(judgments):
        citations = answers[judged["question"]].citations
        good = False
        if citations:
            quote, place = citations[0].quote, citations[0].place
            good = citations[0].filename == judged["file"] and plain(judged["answer"]) in plain(
                quote
            )
            if len(quote) > MAX_CHARS and len(sentence_spans(quote)) > MAX_SENTENCES:
                long_quotes.append(judged["question"])
            if (
                good
                and judged["page"]
                and not (place.first_page <= judged["page"] <= place.last_page)
            ):
                wrong_pages.append(judged["question"])
        found[judged["question"]] = good
    print(f"first citation holds the answer {share(found):.3f}  n {len(found)}")
    assert share(found) >= FIRST_QUOTE, missed(found)
    assert wrong_pages == []
    assert long_quotes == []


def test_the_answer_holds_the_answering_sentence(answers, judgments):
    found = {
        each["question"]: plain(each["answer"]) in plain(answers[each["question"]].text)
        for each in answerable(judgments)
    }
    print(f"answer holds the sentence {share(found):.3f}  n {len(found)}")
    assert share(found) >= HELD, missed(found)


def test_what_the_files_do_not_tell_is_not_answered(answers, judgments):
    asked = [each["question"] for each in judgments if each["answer"] is None]
    silent = {question: answers[question].text == NOT_TOLD for question in asked}
    print(f"silent {share(silent):.3f}  n {len(silent)}")
    assert share(silent) >= SILENT, missed(silent)
    assert not any(answers[question].citations for question in asked if silent[question])


def test_silence_on_documents_of_other_fields(engine, tmp_path):
    write_own(tmp_path)
    engine.add(tmp_path, store="other-fields")
    held, silent = {}, {}
    for question in own_questions():
        text = engine.ask(question.text, store="other-fields").text
        if question.answer is None:
            silent[question.text] = text == NOT_TOLD
        else:
            held[question.text] = plain(question.answer) in plain(text)
    print(f"other fields: holds {share(held):.3f}  silent {share(silent):.3f}")
    assert share(held) >= HELD_ELSEWHERE, missed(held)
    assert share(silent) >= SILENT_ELSEWHERE, missed(silent)


def test_every_quote_is_found_at_its_span(engine, answers):
    store_id = engine.resolve_store(STORE).id
    texts = {}
    n_quotes = 0
    for answer in answers.values():
        for citation in answer.citations:
            if citation.file_id not in texts:
                texts[citation.file_id] = engine.content(store_id, citation.file_id)
            span = texts[citation.file_id][citation.start_char : citation.end_char]
            assert span == citation.quote
            n_quotes += 1
    assert n_quotes > len(answers) / 2


def test_every_chunk_is_its_span_of_the_document(engine):
    store_id = engine.resolve_store(STORE).id
    n_chunks = 0
    for attachment in engine.attachments(store_id, PageRequest(limit=100)).items:
        text = engine.content(store_id, attachment.file_id)
        with engine.store.read() as view:
            number = view.attachments.number(store_id, attachment.file_id)
            for chunk in view.chunks.all(number):
                stored = view.commits.text(number, chunk.start_char, chunk.end_char)
                assert text[chunk.start_char : chunk.end_char] == stored
                assert stored.strip() == stored != ""
                n_chunks += 1
    assert n_chunks > 30
