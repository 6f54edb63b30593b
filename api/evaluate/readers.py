"""Folders and files of judged questions → `JudgedSet`: three layouts, told apart by what is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never

from api.batch.find import Finder
from api.batch.manifest import read_manifest
from api.batch.types import Selection
from api.evaluate.judged import JudgedSet, Question, Reference, SetDocument, invalid

_UNSAFE = re.compile(r"[^\w.#+@=-]")


def read_set(path: Path, *, split: str | None = None) -> JudgedSet:
    """Read a judged set.

    Args:
        path: a folder in BEIR layout (corpus.jsonl, queries.jsonl, and qrels.tsv or
            qrels/test.tsv), a folder with questions.jsonl beside corpora/, or one with
            judgments.jsonl beside files/ (or that file itself).
        split: of a set in BEIR layout, such as ``dev``: queries.dev.jsonl with qrels.dev.tsv,
            or qrels/dev.tsv.

    Raises:
        InvalidRequest: there is no such set, it cannot be read as one, or nothing is judged.
    """
    folder = path if path.is_dir() else path.parent
    try:
        if path.is_file():
            found = _judgments(path)
        elif (folder / "corpus.jsonl").is_file():
            found = _beir(folder, split)
        elif (folder / "questions.jsonl").is_file():
            found = _spans(folder)
        elif (folder / "judgments.jsonl").is_file():
            found = _judgments(folder / "judgments.jsonl")
        else:
            _refuse(path, "there is no corpus.jsonl, questions.jsonl or judgments.jsonl")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise invalid(
            f"{path}: not a judged set as described in docs/EVALUATION.md: {error!r}.",
            param="dataset",
        ) from error
    if not found.questions:
        _refuse(path, "no question has a relevant document")
    return found


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _refuse(path: Path, reason: str) -> Never:
    raise invalid(f"{path}: {reason}.", param="dataset")


# --- BEIR ------------------------------------------------------------------------------------


def _beir(folder: Path, split: str | None) -> JudgedSet:
    queries, qrels = _split_files(folder, split)
    grades = _grades(qrels)
    questions = (
        Question(str(row["_id"]), row["text"], grades.get(str(row["_id"]), {}))
        for row in read_lines(queries)
    )
    return JudgedSet(
        name=folder.resolve().name + (f".{split}" if split else ""),
        documents=tuple(_named(_beir_texts(folder))),
        questions=tuple(each for each in questions if any(g > 0 for g in each.grades.values())),
    )


def _split_files(folder: Path, split: str | None) -> tuple[Path, Path]:
    """The queries and judgements of a split; the test split where none is named."""
    own = folder / f"queries.{split}.jsonl"
    queries = own if split and own.is_file() else folder / "queries.jsonl"
    names = [f"qrels.{split}.tsv", f"qrels/{split}.tsv"] if split else []
    names = names or ["qrels.tsv", "qrels/test.tsv"]
    qrels = next((folder / name for name in names if (folder / name).is_file()), None)
    return queries, qrels or _refuse(folder, f"there is no {' or '.join(names)}")


def _beir_texts(folder: Path) -> Iterator[tuple[str, str]]:
    for row in read_lines(folder / "corpus.jsonl"):
        text = f"{row.get('title') or ''}\n\n{row['text']}".strip()
        if text:
            yield str(row["_id"]), text


def _grades(path: Path) -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = int(grade)
    return grades


def _named(texts: Iterator[tuple[str, str]]) -> Iterator[SetDocument]:
    """Each text as ``ID.txt``, which is how outside harnesses upload them."""
    used: set[str] = set()
    for id, text in texts:
        filename = f"{_UNSAFE.sub('_', id)}.txt"
        if filename in used:
            filename = f"{len(used)}-{filename}"
        used.add(filename)
        yield SetDocument(id, filename, text, {})


# --- passages --------------------------------------------------------------------------------


def _spans(folder: Path) -> JudgedSet:
    texts = {path.stem: _exact(path) for path in sorted((folder / "corpora").iterdir())}
    questions = tuple(
        Question(row["_id"], row["question"], {}, tuple(_references(row)))
        for row in read_lines(folder / "questions.jsonl")
    )
    return JudgedSet(folder.resolve().name, tuple(_named(iter(texts.items()))), questions)


def _exact(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as text:
        return text.read()


def _references(row: dict[str, Any]) -> Iterator[Reference]:
    for each in row["references"]:
        yield Reference(row["corpus"], each["text"], each["start"], each["end"])


def _judgments(path: Path) -> JudgedSet:
    folder = path.parent
    rows = read_lines(path)
    files = [folder / "files"] if (folder / "files").is_dir() else []
    manifest = folder / "manifest.jsonl"
    attributes = read_manifest(manifest) if manifest.is_file() else {}
    documents = (
        SetDocument(
            file.path, file.path, Path(file.location), attributes.get(Path(file.location), {})
        )
        for file in Finder(files, Selection(ignore_files=False)).find()
    )
    questions = (
        Question(str(row["id"]), row["question"], {}, (Reference(row["file"], row["answer"]),))
        for row in rows
        if row["answer"] is not None
    )
    return JudgedSet(folder.resolve().name, tuple(documents), tuple(questions))
