"""The three layouts of judged sets, and what is refused."""

import json

import pytest

from api.evaluate.readers import read_set
from retrieval.errors import InvalidRequest


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


@pytest.fixture
def beir(tmp_path):
    write_lines(
        tmp_path / "corpus.jsonl",
        [
            {"_id": "a/1", "title": "Title", "text": "Text."},
            {"_id": "a_1", "text": "Other."},
            {"_id": "e", "title": "", "text": ""},
        ],
    )
    queries = [{"_id": "q1", "text": "One?"}, {"_id": "q2", "text": "Two?"}]
    write_lines(tmp_path / "queries.jsonl", queries)
    write_lines(tmp_path / "queries.dev.jsonl", [{"_id": "d1", "text": "Dev?"}])
    header = "query-id\tcorpus-id\tscore\n"
    (tmp_path / "qrels.tsv").write_text(header + "q1\ta/1\t2\nq1\te\t0\nq2\ta_1\t0\n")
    (tmp_path / "qrels.dev.tsv").write_text(header + "d1\ta_1\t1\n")
    return tmp_path


def test_beir_has_title_and_text_and_only_questions_with_something_relevant(beir):
    judged = read_set(beir)
    assert [(d.id, d.content) for d in judged.documents] == [
        ("a/1", "Title\n\nText."),
        ("a_1", "Other."),
    ]
    assert len({d.filename for d in judged.documents}) == 2
    assert [(q.id, q.grades) for q in judged.questions] == [("q1", {"a/1": 2, "e": 0})]
    assert not judged.has_passages


def test_a_split_has_its_own_questions(beir):
    judged = read_set(beir, split="dev")
    assert [q.id for q in judged.questions] == ["d1"]
    assert judged.name.endswith(".dev")


def test_a_missing_split_is_named(beir):
    with pytest.raises(InvalidRequest, match=r"qrels\.train\.tsv"):
        read_set(beir, split="train")


def test_original_beir_folders_are_read(beir):
    (beir / "qrels").mkdir()
    (beir / "qrels.tsv").rename(beir / "qrels" / "test.tsv")
    assert len(read_set(beir).questions) == 1


def test_passages_keep_their_places_in_texts_that_are_read_byte_for_byte(tmp_path):
    (tmp_path / "corpora").mkdir()
    text = "First.\r\nSecond.\n"
    (tmp_path / "corpora" / "one.md").write_bytes(text.encode())
    reference = {"start": 8, "end": 15, "text": "Second."}
    row = {"_id": "q", "question": "?", "corpus": "one", "references": [reference]}
    write_lines(tmp_path / "questions.jsonl", [row])
    judged = read_set(tmp_path)
    (found,) = judged.questions[0].references
    (document,) = judged.documents
    assert document.content == text
    assert document.content[found.start_char : found.end_char] == found.text
    assert document.filename == "one.txt"
    assert judged.has_passages


def test_our_judgments_name_files_and_answers(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.md").write_text("# A\n\nAnswer here.")
    rows = [
        {"id": "q1", "question": "One?", "file": "a.md", "answer": "Answer here."},
        {"id": "q2", "question": "Two?", "file": "a.md", "answer": None},
    ]
    write_lines(tmp_path / "judgments.jsonl", rows)
    for path in (tmp_path, tmp_path / "judgments.jsonl"):
        judged = read_set(path)
        assert [q.id for q in judged.questions] == ["q1"]
        with judged.documents[0].open() as content:
            assert content.read() == b"# A\n\nAnswer here."


def test_a_lone_file_of_judgments_has_no_documents(tmp_path):
    row = {"id": "q1", "question": "One?", "file": "a.md", "answer": "Here."}
    write_lines(tmp_path / "mine.jsonl", [row])
    assert read_set(tmp_path / "mine.jsonl").documents == ()


def test_other_folders_and_broken_lines_are_refused(tmp_path, beir):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InvalidRequest, match="there is no"):
        read_set(empty)
    (beir / "queries.jsonl").write_text("{nonsense\n")
    with pytest.raises(InvalidRequest, match="not a judged set"):
        read_set(beir)


def test_the_fingerprint_follows_names_and_contents(beir):
    before = read_set(beir).fingerprint()
    assert read_set(beir).fingerprint() == before
    write_lines(beir / "corpus.jsonl", [{"_id": "a/1", "text": "Changed."}])
    assert read_set(beir).fingerprint() != before
