"""The sample corpus keeps its promises: formats, attributes, honest questions, true answers."""

import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import pypdfium2
import pytest
import Stemmer

CORPUS = Path(__file__).parents[2] / "sample_corpus"
FILES = CORPUS / "files"
STOP_WORDS = """
a about after all an and any are as at be because been before between but by can could did do
does during each for from had has have how i if in into is it its me must my no not of off on
or other our out over she should so than that the their them there these they this those
through to until under up us was we were what when where whether which while who whose why
will with would you your
"""

_spec = importlib.util.spec_from_file_location("sample_corpus_answers", CORPUS / "answers.py")
answers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(answers)

MANIFEST = answers.read_lines(CORPUS / "manifest.jsonl")
JUDGMENTS = answers.read_lines(CORPUS / "judgments.jsonl")
ANSWERABLE = [line for line in JUDGMENTS if line["answer"] is not None]
UNANSWERABLE = [line for line in JUDGMENTS if line["answer"] is None]


@cache
def pages(name):
    return [answers.squash(text) for text in answers.pages_of(FILES / name)]


@cache
def stems(text):
    words = re.findall(r"[^\W_]+", text.lower().replace("'s", ""))
    return frozenset(
        Stemmer.Stemmer("english").stemWords([w for w in words if w not in STOP_WORDS.split()])
    )


def n_shared(line):
    return len(stems(line["question"]) & stems(line["answer"]))


def test_corpus_has_every_format():
    n_of = Counter(path.suffix for path in FILES.iterdir())
    assert sum(n_of.values()) >= 14
    assert n_of[".pdf"] == 3
    assert n_of[".txt"] == 2
    others = {".docx", ".pptx", ".xlsx", ".html", ".md", ".csv", ".jsonl", ".py", ".c"}
    assert others <= set(n_of)


def test_text_files_differ_in_encoding():
    latin = (FILES / "decimal-time-latin1.txt").read_bytes()
    assert "é" in latin.decode("latin-1")
    with pytest.raises(UnicodeDecodeError):
        latin.decode("utf-8")
    utf8 = (FILES / "hours-of-the-world.txt").read_bytes()
    assert not utf8.decode("utf-8").isascii()


def test_handbook_is_long_with_two_levels_of_outline():
    with pypdfium2.PdfDocument(FILES / "handbook.pdf") as pdf:
        assert len(pdf) > 30
        assert {entry.level for entry in pdf.get_toc()} == {0, 1}
        footers = [page.get_textpage().get_text_range()[-40:] for page in list(pdf)[1:]]
    assert all(text.rstrip().endswith(str(n)) for n, text in enumerate(footers, start=2))


def test_article_has_two_columns():
    with pypdfium2.PdfDocument(FILES / "the-last-leap-second.pdf") as pdf:
        page = pdf[1]
        text = page.get_textpage()
        lefts = [text.get_rect(i)[0] for i in range(text.count_rects())]
        middle = page.get_width() / 2
    assert sum(left < middle for left in lefts) > 20
    assert sum(left > middle for left in lefts) > 20


def test_manifest_names_every_file_once():
    assert sorted(line["path"] for line in MANIFEST) == sorted(
        f"files/{path.name}" for path in FILES.iterdir()
    )


@pytest.mark.parametrize("line", MANIFEST, ids=lambda line: line["path"])
def test_manifest_gives_sources_and_attributes_of_all_types(line):
    values = line["attributes"].values()
    assert {str, bool} <= {type(value) for value in values} <= {str, bool, int, float}
    assert len(values) <= 16
    assert line["title"]
    assert line["sources"]


def test_manifest_counts_pages_right():
    for line in MANIFEST:
        if line["path"].endswith(".pdf"):
            assert line["attributes"]["pages"] == len(pages(Path(line["path"]).name))


def test_attributes_of_all_three_types_occur():
    types = {type(value) for line in MANIFEST for value in line["attributes"].values()}
    assert {str, int, bool} <= types


def test_there_are_enough_questions():
    assert len(ANSWERABLE) >= 80
    assert len(UNANSWERABLE) == 15
    assert {line["file"] for line in ANSWERABLE} == {path.name for path in FILES.iterdir()}
    for name in ("id", "question"):
        assert len({line[name] for line in JUDGMENTS}) == len(JUDGMENTS)


def test_questions_spread_over_pages_files_and_tables():
    late = [line for line in ANSWERABLE if line["file"] == "handbook.pdf" and line["page"] > 10]
    assert len(late) >= 15
    assert sum(line["kind"] == "table" for line in ANSWERABLE) >= 10
    near = [line for line in ANSWERABLE if line["near_miss"]]
    assert len(near) >= 15
    assert all((FILES / line["near_miss"]).is_file() for line in near)
    assert all(line["near_miss"] != line["file"] for line in near)


def test_questions_are_in_other_words_than_their_answers():
    too_close = [
        line["id"] for line in ANSWERABLE if 2 * n_shared(line) > len(stems(line["question"]))
    ]
    assert too_close == []
    assert sum(n_shared(line) <= 2 for line in ANSWERABLE) >= 20


@pytest.mark.parametrize("line", ANSWERABLE, ids=lambda line: line["id"])
def test_answer_stands_where_the_judgment_says(line):
    answer = answers.squash(line["answer"])
    assert len(line["answer"]) <= 300
    holding = [n for n, text in enumerate(pages(line["file"]), start=1) if answer in text]
    place = line["page"] or line.get("slide")
    assert (holding == [place]) if place else holding
    assert (line["page"] is None) != line["file"].endswith(".pdf")


def test_no_answer_stands_in_two_files():
    names = sorted(path.name for path in FILES.iterdir())
    whole = {name: "".join(pages(name)) for name in names}
    for line in ANSWERABLE:
        answer = answers.squash(line["answer"])
        assert [name for name in names if answer in whole[name]] == [line["file"]]


def test_ids_are_in_order():
    answered = [line["id"] for line in ANSWERABLE]
    assert all(a < b for a, b in pairwise(answered))


def test_files_are_what_the_sources_build(tmp_path):
    command = [sys.executable, str(CORPUS / "build.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in FILES.iterdir())
    for path in FILES.iterdir():
        assert contents(tmp_path / path.name) == contents(path), path.name


def contents(path):
    """Bytes of a file; for office files of its members, whose packing varies with the zlib."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return {i.filename: (i.date_time, archive.read(i)) for i in archive.infolist()}


def test_judgments_are_one_json_object_a_line():
    for name in ("judgments.jsonl", "manifest.jsonl"):
        lines = (CORPUS / name).read_text(encoding="utf-8").splitlines()
        assert all(isinstance(json.loads(line), dict) for line in lines)
