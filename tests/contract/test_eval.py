"""`sourcebook eval`: the same figures in this process and over HTTP, and exit codes for CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from http_service import Service

from api.cli import main
from api.engine import Engine
from api.evaluate.known_items import known_items
from api.settings import Settings
from retrieval.errors import InvalidRequest
from retrieval.types import PageRequest

TOPICS = {
    "wheel": "The escape wheel of this clock has thirty teeth and turns once a minute.",
    "spring": "The mainspring is wound once a week with the large brass key.",
    "dial": "The dial shows hours in Roman numerals painted on white enamel.",
    "bell": "Two bells strike the quarters, the larger one also the hours.",
}
QUESTIONS = {
    "q1": ("how many teeth has the escape wheel", "wheel"),
    "q2": ("when is the mainspring wound", "spring"),
    "q3": ("roman numerals on the dial", "dial"),
    "q4": ("which bell strikes hours", "bell"),
}


def write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "clocks"
    folder.mkdir()
    corpus = [{"_id": id, "title": id, "text": text} for id, text in TOPICS.items()]
    write_lines(folder / "corpus.jsonl", corpus)
    queries = [{"_id": id, "text": text} for id, (text, _) in QUESTIONS.items()]
    write_lines(folder / "queries.jsonl", queries)
    rows = "".join(f"{id}\t{doc}\t1\n" for id, (_, doc) in QUESTIONS.items())
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    return folder


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCEBOOK_EMBEDDER", "hash")

    def run(*arguments, expect=0):
        words = ["--data", tmp_path / "data", "eval", "--keep", tmp_path / "kept", *arguments]
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exit_code == expect, done.output
        return done

    return run


def means(done):
    return {row["ranking"]: row["means"] for row in json.loads(done.stdout)["runs"]}


def test_every_ranking_is_measured_and_compared_with_the_first(evaluate, dataset, tmp_path):
    out = tmp_path / "out"
    done = evaluate(dataset, "--ranking", "bm25", "--ranking", "auto", "--out", out, "--json")
    assert means(done)["bm25"]["nDCG@10"] == means(done)["auto"]["hit@1"] == 1
    (compared,) = json.loads(done.stdout)["comparisons"]
    assert compared["verdict"] == "no real difference"
    assert "| clocks | bm25 | 4 |" in (out / "eval.md").read_text()
    again = evaluate("--compare", out / "eval.json", out / "eval.json")
    assert "no real difference" in again.stdout


def test_pictures_are_written(evaluate, dataset, tmp_path):
    pytest.importorskip("matplotlib")
    evaluate(dataset, "--ranking", "bm25", "--ranking", "rrf", "--out", tmp_path, "--plots")
    for name in ("means", "latency", "differences-clocks"):
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()


def test_a_second_run_indexes_nothing_and_a_fresh_one_everything(evaluate, dataset, tmp_path):
    def file_ids():
        settings = Settings(data=tmp_path / "kept" / "data", embedder="hash")
        with Engine.open(settings=settings) as engine:
            return {file.id for file in engine.files(PageRequest(limit=100)).items}

    evaluate(dataset)
    first = file_ids()
    evaluate(dataset)
    assert file_ids() == first
    evaluate(dataset, "--fresh")
    assert len(file_ids()) == len(first)
    assert file_ids().isdisjoint(first)


def test_a_missed_bar_ends_with_1(evaluate, dataset):
    evaluate(dataset, "--fail-under", "nDCG@10=0.9", "--fail-under", "hit@1=0.9")
    done = evaluate(dataset, "--ranking", "auto", "--fail-under", "nDCG@10=1.1", expect=1)
    assert "clocks, auto: nDCG@10 1.0000 < 1.1" in done.stderr


def test_a_real_drop_against_a_baseline_ends_with_1(evaluate, dataset, tmp_path):
    rows = [
        {"_id": f"{id}-{n}", "text": text} for n in range(5) for id, (text, _) in QUESTIONS.items()
    ]
    write_lines(dataset / "queries.jsonl", rows)
    wrong = dict(zip(TOPICS, [*list(TOPICS)[1:], "wheel"], strict=True))
    for name, answer in (("before", lambda doc: doc), ("after", wrong.get)):
        lines = [f"{row['_id']}\t{answer(QUESTIONS[row['_id'][:2]][1])}\t1\n" for row in rows]
        (dataset / "qrels.tsv").write_text("header\n" + "".join(lines))
        if name == "before":
            evaluate(dataset, "--out", tmp_path)
    baseline = ("--baseline", tmp_path / "eval.json")
    assert "worse" in evaluate(dataset, *baseline).stdout
    done = evaluate(dataset, *baseline, "--fail-on-drop", expect=1)
    assert "fell by" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "Name a DATASET"),
        (("--known-items", "5"), "needs --store"),
        (("SET", "--ranking", "best"), "no ranking 'best'"),
        (("SET", "--depth", "51"), "1 to 50"),
        (("SET", "--plots"), "--out"),
        (("SET", "--fail-under", "nDCG@10"), "expected such as"),
        (("SET", "--fail-under", "F1=1"), "no measure 'F1'"),
    ],
)
def test_wrong_options_are_refused_in_one_line(evaluate, dataset, arguments, reason):
    words = [dataset if word == "SET" else word for word in arguments]
    done = evaluate(*words, expect=2)
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_over_http_the_figures_are_the_same(evaluate, dataset, service: Service):
    rankings = [word for name in ("auto", "bm25", "rewrite") for word in ("--ranking", name)]
    here = evaluate(dataset, *rankings, "--json")
    there = evaluate(dataset, *rankings, "--json", "--url", f"{service.url}/v1")
    assert means(here) == means(there)
    n_files = len(service.client.files.list().data)
    evaluate(dataset, "--url", f"{service.url}/v1")
    assert len(service.client.files.list().data) == n_files == len(TOPICS)


def test_judgments_of_ones_own_store(evaluate, tmp_path, clocks):
    assert clocks == tmp_path / "data"
    row = {"id": "1", "question": "teeth of the escape wheel", "file": "wheel.md"}
    write_lines(tmp_path / "mine.jsonl", [{**row, "answer": "has thirty teeth"}])
    done = evaluate(tmp_path / "mine.jsonl", "--store", "clocks", "--json")
    assert means(done)["auto"]["hit@1"] == 1
    done = evaluate("--known-items", "4", "--store", "clocks", "--json")
    assert means(done)["auto"]["recall@5"] == 1


def test_known_items_are_the_same_for_the_same_seed(tmp_path):
    with Engine.open(settings=Settings(data=tmp_path / "data", embedder="hash")) as engine:
        text = "\n\n".join(TOPICS.values())
        (tmp_path / "clock.txt").write_text(text)
        store = engine.add(tmp_path / "clock.txt", store="clocks").store_id
        first, again, other = (known_items(engine, store, n=3, seed=s) for s in (1, 1, 2))
        assert first == again
        assert [q.text for q in first.questions] != [q.text for q in other.questions]
        for question in first.questions:
            (where,) = question.references
            assert text[where.start_char : where.end_char] == where.text
            assert 3 <= len(question.text.split()) < len(where.text.split())
        empty = engine.create_vector_store(name="empty").id
        with pytest.raises(InvalidRequest, match="No questions can be made"):
            known_items(engine, empty, n=3, seed=1)


@pytest.fixture
def clocks(tmp_path):
    """A data folder with one vector store, `clocks`, of one file a topic."""
    (tmp_path / "notes").mkdir()
    for name, text in TOPICS.items():
        (tmp_path / "notes" / f"{name}.md").write_text(text)
    with Engine.open(settings=Settings(data=tmp_path / "data", embedder="hash")) as engine:
        engine.add(tmp_path / "notes", store="clocks")
    return tmp_path / "data"


def command(data, *arguments, expect=0):
    words = ["--data", str(data), *map(str, arguments)]
    done = CliRunner().invoke(main, words, env={"SOURCEBOOK_EMBEDDER": "hash"})
    assert done.exit_code == expect, done.output
    return done


def test_calibrated_scores_are_lower_where_most_hits_are_wrong(clocks, dataset):
    search = ("search", "teeth of the wheel", "--store", "clocks", "--json")
    before = json.loads(command(clocks, *search).stdout)["hits"]
    dry = command(clocks, "calibrate", dataset, "--store", "clocks", "--dry-run", "--json")
    assert json.loads(command(clocks, *search).stdout)["hits"] == before
    done = command(clocks, "calibrate", dataset, "--store", "clocks", "--json")
    assert json.loads(done.stdout) == json.loads(dry.stdout)
    assert json.loads(done.stdout)["questions"] == len(QUESTIONS)
    after = json.loads(command(clocks, *search).stdout)["hits"]
    assert [hit["filename"] for hit in after] == [hit["filename"] for hit in before]
    assert [hit["score"] for hit in after] != [hit["score"] for hit in before]
    again = command(clocks, "calibrate", dataset, "--store", "clocks", "--json")
    assert json.loads(again.stdout) == json.loads(done.stdout)  # fitted on the built-in scores
    command(clocks, "calibrate", "--reset", "--store", "clocks")
    assert json.loads(command(clocks, *search).stdout)["hits"] == before
    command(clocks, "calibrate", "--store", "clocks", expect=2)


def test_search_explains_and_says_why_not(clocks):
    said = command(
        clocks,
        "search",
        "escape wheel",
        "--store",
        "clocks",
        "-k",
        "1",
        "--explain",
        "--why-not",
        "bell.md",
        "--why-not",
        "wheel.md",
    ).stdout
    assert "dense" in said
    assert "(rank 1)" in said
    assert "bell.md: limit: it ranks" in said
    assert "wheel.md: returned" in said
    missing = command(clocks, "search", "a", "--store", "clocks", "--why-not", "no.md", expect=2)
    assert "no.md" in missing.stderr
    mended = command(
        clocks, "search", "What is an escape wheel?", "--store", "clocks", "--rewrite"
    )
    assert mended.stdout.startswith("Searched for: escape wheel")
