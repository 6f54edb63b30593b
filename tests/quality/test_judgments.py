"""Search and answers on the sample corpus: right passage, right page, exact quote.

A failure prints the questions that missed.
"""

import re
import unicodedata

from retrieval.queries import Query
from retrieval.sentences import sentence_spans
from retrieval.types import PageRequest
from tests.quality.conftest import STORE

HIT_AT_1, HIT_AT_5, FIRST_QUOTE = 0.85, 0.97, 0.85
MAX_SENTENCES, MAX_CHARS = 3, 400


def plain(text):
    """Text without what extraction and layout may change: white space and cell borders."""
    return re.sub(r"[\s|]+", "", unicodedata.normalize("NFKC", text))


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


def test_the_first_citation_quotes_the_answer(engine, judgments):
    found, wrong_pages, long_quotes = {}, [], []
    for judged in answerable(judgments):
        citations = engine.ask(judged["question"], store=STORE).citations
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


def test_every_quote_is_found_at_its_span(engine, judgments):
    store_id = engine.resolve_store(STORE).id
    n_quotes = 0
    for judged in judgments[::4]:
        for citation in engine.ask(judged["question"], store=STORE).citations:
            text = engine.content(store_id, citation.file_id)
            assert text[citation.start_char : citation.end_char] == citation.quote
            n_quotes += 1
    assert n_quotes > 0


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
