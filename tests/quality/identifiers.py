"""Exact identifiers: 500 seeded codes among neighbours that differ by a character or two."""

from __future__ import annotations

import random
from collections.abc import Callable

from api.engine import Engine
from api.evaluate.asking import InProcess
from api.evaluate.judged import JudgedSet, Question, Reference, SetDocument
from retrieval.queries import Query
from retrieval.types import ChunkingStrategy

N_CODES = 500
_NOUNS = [
    "pump",
    "valve",
    "sensor",
    "gasket",
    "rotor",
    "relay",
    "bearing",
    "hose",
    "filter",
    "clamp",
    "board",
    "cable",
]
_STATES = [
    "leaks",
    "stalls",
    "overheats",
    "drifts",
    "jams",
    "rattles",
    "corrodes",
    "saturates",
    "resets",
    "trips",
]
_VERBS = ["load", "save", "parse", "flush", "merge", "split", "check", "reset", "bind", "trim"]
_FILLER = (
    "The {noun} {state} when the supply is interrupted for longer than the hold time.",
    "Replace the {noun} after inspection and note the date in the log.",
    "If the {noun} {state} again within a week, report it to the workshop.",
    "This entry was reviewed together with those of the same series.",
)


def _error(rng: random.Random) -> str:
    return f"{rng.choice('EFWX')}-{rng.randrange(1000, 9999)}"


def _advisory(rng: random.Random) -> str:
    return f"CVE-{rng.randrange(2015, 2026)}-{rng.randrange(1000, 49999)}"


def _snake(rng: random.Random) -> str:
    return f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}_{rng.choice(_STATES)}_{rng.randrange(10)}"


def _camel(rng: random.Random) -> str:
    words = (rng.choice(_VERBS), rng.choice(_NOUNS).title(), rng.choice(_STATES).title())
    return "".join(words) + rng.choice("ABCDEFGH")


def _part(rng: random.Random) -> str:
    return f"{rng.choice('ABKMRT')}{rng.randrange(10, 99)}-{rng.randrange(100, 999)}/{rng.choice('ABCD')}"


KINDS: tuple[Callable[[random.Random], str], ...] = (_error, _advisory, _snake, _camel, _part)


def codes(*, n: int = N_CODES, seed: int = 0) -> JudgedSet:
    """Documents with one code each; asked for by the code alone, or within a question."""
    rng = random.Random(seed)
    names: dict[str, None] = {}
    while len(names) < n:
        names[KINDS[len(names) % len(KINDS)](rng)] = None
    documents, questions = [], []
    for number, code in enumerate(names):
        noun, state = rng.choice(_NOUNS), rng.choice(_STATES)
        text = " ".join(line.format(noun=noun, state=state) for line in _FILLER)
        documents.append(SetDocument(f"{number}", f"entry {number}.txt", f"{code}\n\n{text}", {}))
        asked = rng.choice((code, f"What does {code} mean?", f"{noun} {code}"))
        questions.append(Question(f"{number}", asked, {}, (Reference(f"{number}", code),)))
    return JudgedSet(f"identifiers, seed {seed}", tuple(documents), tuple(questions))


def hit_at_1(engine: Engine, judged: JudgedSet) -> tuple[float, list[str]]:
    """The share of codes whose document comes first, and the questions that missed."""
    chunking = ChunkingStrategy()
    store_id = InProcess(engine).index(judged, chunking, fresh=False, progress=lambda _a, _b: None)
    missed = []
    for number, question in enumerate(judged.questions):
        hits = engine.search([store_id], Query((question.text,), limit=1)).hits
        if not hits or hits[0].filename != judged.documents[number].filename:
            missed.append(question.text)
    return 1 - len(missed) / len(judged.questions), missed
