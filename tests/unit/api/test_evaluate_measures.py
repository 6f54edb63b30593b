"""Figures of the evaluation against arithmetic by hand."""

import math

import pytest

from api.evaluate.asking import Found
from api.evaluate.judged import JudgedSet, Question, Reference, SetDocument
from api.evaluate.measures import means, measure, percentiles


def documents(*ids):
    return tuple(SetDocument(id, f"{id}.txt", "text", {}) for id in ids)


def hits(*ids):
    return [Found(f"{id}.txt", "text", 1 - n / 10) for n, id in enumerate(ids)]


def figures_of(grades, *ids, depth=10):
    judged = JudgedSet("s", documents("a", "b", "c", "d"), (Question("q", "?", grades),))
    figures = measure(judged, {"q": hits(*ids)}, depth=depth)
    return {name: values[0] for name, values in figures.items()}


def test_graded_documents_are_measured_with_linear_gain():
    figures = figures_of({"a": 2, "b": 1, "c": 0}, "b", "a", "d")
    ideal = 2 + 1 / math.log2(3)
    assert figures["nDCG@10"] == pytest.approx((1 + 2 / math.log2(3)) / ideal)
    assert figures["hit@1"] == figures["MRR"] == figures["MAP"] == 1
    assert figures["recall@1"] == 0.5
    assert figures["recall@5"] == figures["recall@10"] == 1


def test_a_document_counts_with_its_best_chunk():
    # d, d, d, a: the document a is second, not fourth
    figures = figures_of({"a": 1}, "d", "d", "d", "a")
    assert figures["nDCG@10"] == pytest.approx(1 / math.log2(3))
    assert figures["MRR"] == figures["MAP"] == 0.5
    assert figures["hit@1"] == 0


def test_equal_scores_keep_their_order():
    judged = JudgedSet("s", documents("a", "b"), (Question("q", "?", {"a": 1}),))
    same = [Found("b.txt", "", 0.5), Found("a.txt", "", 0.5)]
    assert measure(judged, {"q": same}, depth=10)["MRR"] == [0.5]


def test_a_question_without_hits_counts_as_nothing_found():
    judged = JudgedSet(
        "s", documents("a"), (Question("q", "?", {"a": 1}), Question("r", "?", {"a": 1}))
    )
    figures = measure(judged, {"q": hits("a")}, depth=10)
    assert figures["nDCG@10"] == [1, 0]
    assert means(figures)["nDCG@10"] == 0.5


def test_recall_is_given_at_the_depth_asked_for_and_no_deeper():
    names = figures_of({"a": 1}, "a", depth=50)
    assert {"recall@10", "recall@50"} <= names.keys()
    assert "recall@10" not in figures_of({"a": 1}, "a", depth=5)


def test_files_of_a_store_are_known_without_their_ending():
    judged = JudgedSet("s", (), (Question("q", "?", {"a": 1}),))
    assert measure(judged, {"q": hits("a")}, depth=10)["hit@1"] == [1]


TEXT = "One two three. Four five six. Seven eight nine. Ten."


def passages(*texts, document="doc"):
    places = [(TEXT.index(text), TEXT.index(text) + len(text)) for text in texts]
    return tuple(
        Reference(document, text, *place) for text, place in zip(texts, places, strict=True)
    )


def passage_figures(references, *texts, depth=5):
    document = SetDocument("doc", "doc.txt", TEXT, {})
    judged = JudgedSet("s", (document,), (Question("q", "?", {}, references),))
    found = [Found("doc.txt", text, 1) for text in texts]
    return {k: v[0] for k, v in measure(judged, {"q": found}, depth=depth).items()}


def test_a_hit_stands_for_the_passages_it_holds_whole():
    wanted = passages("Four five six.", "Ten.")
    figures = passage_figures(wanted, "One two", "three. Four  five\nsix. Seven")
    # second of the items, one passage of two
    ideal = 1 + 1 / math.log2(3)
    assert figures["nDCG@10"] == pytest.approx((1 / math.log2(3)) / ideal)
    assert figures["recall@5"] == 0.5
    assert figures["hit@1"] == 0


def test_half_a_passage_is_not_held():
    assert passage_figures(passages("Four five six."), "two three. Four five")["recall@5"] == 0


def test_tokens_are_words_and_marks():
    # wanted: Four five six . = 4; found: three . Four five six . Seven = 7, all 4 among them
    figures = passage_figures(passages("Four five six."), "three. Four five six. Seven")
    assert figures["token recall"] == 1
    assert figures["token precision"] == pytest.approx(4 / 7)
    assert figures["token IoU"] == pytest.approx(4 / 7)


def test_text_brought_twice_counts_once_for_recall_and_twice_against_precision():
    # 2 x "Four five" = 4 tokens, 2 of them right; 2 of the wanted 4 are missed
    figures = passage_figures(passages("Four five six."), "Four five", "Four five")
    assert figures["token recall"] == 0.5
    assert figures["token precision"] == 0.5
    assert figures["token IoU"] == pytest.approx(2 / (4 + 2))


def test_text_of_another_file_is_only_ballast():
    document = SetDocument("doc", "doc.txt", TEXT, {})
    question = Question("q", "?", {}, passages("Four five six."))
    judged = JudgedSet("s", (document,), (question,))
    found = [Found("else.txt", "Four five six.", 1)]
    figures = measure(judged, {"q": found}, depth=5)
    assert figures["token recall"] == figures["token precision"] == figures["hit@1"] == [0]


def test_percentiles_are_of_the_questions():
    assert dict(percentiles([1.0, 2.0, 3.0]))["p50"] == 2
