"""nDCG@10 of chunks: every chunk of the store that holds a whole passage is relevant."""

from __future__ import annotations

from collections.abc import Iterator

from api.engine import Engine
from api.evaluate.asking import RANKINGS, Found, InProcess
from api.evaluate.judged import JudgedSet, Question
from api.evaluate.measures import MAIN, Judge, measure
from retrieval.queries import Query


def as_documents(engine: Engine, store_id: str, judged: JudgedSet) -> JudgedSet:
    """The questions of a set of passages with grades of chunks, by the ids their hits have."""
    chunks, judge = _chunks(engine, store_id), Judge(judged)
    questions = (
        Question(each.id, each.text, dict.fromkeys(_relevant(each, chunks, judge), 1))
        for each in judged.questions
    )
    return JudgedSet(f"chunks of {judged.name}", (), tuple(questions))


def _relevant(
    question: Question, chunks: dict[str, tuple[str, str]], judge: Judge
) -> Iterator[str]:
    for id, (filename, text) in chunks.items():
        if judge.is_relevant(question, filename, text):
            yield id


def ndcg(engine: Engine, store_id: str, graded: JudgedSet, *, ranking: str) -> float:
    """The mean over all questions of what `as_documents` made, ten hits asked for."""
    chosen = RANKINGS[ranking]
    answers = {}
    for question in graded.questions:
        query = Query((question.text,), ranker=chosen.ranker, weights=chosen.weights)
        hits = engine.search([store_id], query).hits
        answers[question.id] = [Found(hit.id, hit.text, hit.score) for hit in hits]
    figures = measure(graded, answers, depth=10)[MAIN]
    return sum(figures) / len(figures)


def _chunks(engine: Engine, store_id: str) -> dict[str, tuple[str, str]]:
    """Every chunk's file name and text, by the id its hit has."""
    found = {}
    with engine.store.read() as view:
        for attached in InProcess(engine).attached(store_id):
            number = view.attachments.number(store_id, attached.file_id)
            for chunk in view.chunks.all(number):
                text = view.commits.text(number, chunk.start_char, chunk.end_char)
                found[f"{attached.file_id}:{chunk.ordinal}"] = (attached.filename, text)
    return found
