"""Sentences whose truth is known: verbatim, paraphrased by hand, and corrupted by a seed.

A case has the passage it is checked against, which holds the sentence among others. Corruptions
change one thing in a true sentence; half of them start from a paraphrase where one allows it.
"""

import random
import re
from dataclasses import dataclass, replace
from pathlib import Path

from retrieval.analysis import STOP_WORDS, terms
from retrieval.cite import text_units
from retrieval.types import PageRequest
from retrieval.verify.source import Reading

FOLDER = Path(__file__).parent / "faithful"
PASSAGE_CHARS = 2400  # about the chunk of 800 tokens that answers are written from
MIN_CHANGED = 0.3

KINDS = ("number", "unit", "date", "entity", "negation", "quote", "wrong_file", "added")


@dataclass(frozen=True)
class Case:
    """A claim, its passage, and what was done to it."""

    document: str
    passage: str
    claim: str
    origin: str  # the source sentence
    kind: str  # verbatim, paraphrase or one of KINDS


def plain(text):
    return re.sub(r"\s+", " ", text).strip()


def own_documents():
    """Name → pairs of sentence and paraphrase, of documents.txt."""
    found, name = {}, ""
    for line in (FOLDER / "documents.txt").read_text("utf-8").splitlines():
        if line.startswith("== "):
            name = line[3:]
            found[name] = []
        elif line.startswith("> "):
            found[name][-1] = (found[name][-1], line[2:])
        elif line and not line.startswith("#"):
            found[name].append(line)
    return found


def corpus_pairs():
    """File, beginning of the sentence, paraphrase, of corpus.txt."""
    lines = (FOLDER / "corpus.txt").read_text("utf-8").splitlines()
    return [tuple(p.strip() for p in line.split("|", 2)) for line in lines if "|" in line]


def corpus_texts(engine):
    """File name → text as it was indexed, of every file in the vector store of the corpus."""
    store_id = engine.resolve_store("sample-corpus").id
    attached = engine.attachments(store_id, PageRequest(limit=100)).items
    return {each.filename: engine.content(store_id, each.file_id) for each in attached}


def paraphrases(texts):
    """Every sentence that was paraphrased by hand. `texts`: file name → text of sample_corpus."""
    found = []
    for name, pairs in own_documents().items():
        passage = " ".join(sentence for sentence, _ in pairs)
        found += [Case(name, passage, claim, true, "paraphrase") for true, claim in pairs]
    for file, beginning, claim in corpus_pairs():
        text = texts[file]
        span = next(s for s in text_units(text) if plain(text[slice(*s)]).startswith(beginning))
        true = plain(text[slice(*span)])
        found.append(Case(file, around(text, span[0]), claim, true, "paraphrase"))
    return found


def around(text, start):
    """The part of a text that a chunk around `start` would hold, in whole sentences."""
    low = max(0, start - PASSAGE_CHARS // 2)
    inside = [s for s in text_units(text) if low <= s[0] and s[1] <= low + PASSAGE_CHARS]
    return text[inside[0][0] : inside[-1][1]]


def verbatim(texts, n, rng):
    """Sentences as they stand, from everywhere."""
    found = [replace(case, claim=case.origin, kind="verbatim") for case in paraphrases(texts)]
    for file, text in texts.items():
        for span in text_units(text):
            sentence = plain(text[slice(*span)])
            if is_sentence(sentence):
                found.append(Case(file, around(text, span[0]), sentence, sentence, "verbatim"))
    rng.shuffle(found)
    return found[:n]


def is_sentence(text):
    return 40 <= len(text) <= 260 and text[0].isupper() and text[-1] == "." and text.count("|") < 1


def changed_share(claim, origin):
    """Share of a paraphrase's content words that its origin does not have."""
    ours = {t for t in terms(claim) if t not in STOP_WORDS}
    theirs = set(terms(origin))
    return len(ours - theirs) / max(1, len(ours))


# --- corruptions: each gives a claim that its passage does not bear out, or None -----------------

_NUMBER = re.compile(r"(?<![\w,.:-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w:]|[.,-]\d)")
_WORD_NUMBERS = str.split(
    "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty"
    " sixty"
)
_SPELLED = re.compile(rf"\b(?:{'|'.join(_WORD_NUMBERS)})\b(?!-)", re.IGNORECASE)
_YEAR = re.compile(r"(?<![\d.,])(?:1[4-9]|20)\d\d(?![\d,.]\d|\d)")
_MONTHS = str.split(
    "January February March April May June July August September October November December"
)
_MONTH = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b")
_UNITS = [
    ("second", "minute", "hour", "day", "week", "month", "year"),
    ("millisecond", "microsecond", "nanosecond"),
    ("millimetre", "centimetre", "metre", "kilometre", "mile", "foot"),
    ("milligram", "gram", "kilogram", "tonne"),
    ("euro", "dollar", "pound", "crown"),
    ("hertz", "kilohertz", "megahertz"),
]
_UNIT_OF = {u: group for group in _UNITS for u in group}
_UNIT = re.compile(
    r"(?:\d|\b(?:" + "|".join(_WORD_NUMBERS) + r"|half an?|million|thousand|hundred))"
    rf"[\s-]+({'|'.join(_UNIT_OF)})(s?)\b"
)
_SHORT_UNITS = {"km": "m", "mm": "cm", "cm": "mm", "kg": "g", "mg": "g", "%": " points", "ms": "s"}
_SHORT = re.compile(r"(?<=\d)( ?)(km|mm|cm|kg|mg|ms|%)(?!\w)")
_SIGN = {"€": "$", "£": "€", "$": "£"}
_VERBS = str.split("is are was were has had can could may must will would should does do did")
_VERB = re.compile(rf"\b({'|'.join(_VERBS)})\b(?! not\b| no\b)")
_DENIAL = re.compile(
    r"\b(is|are|was|were|can|may|must|does|do|did|could|has|had) not\b ?|\bnever\b "
)


def number(case, rng, _world):
    found = [m for m in _NUMBER.finditer(case.claim) if not _YEAR.fullmatch(m[0])]
    found += list(_SPELLED.finditer(case.claim))
    if not found:
        return None
    match = rng.choice(found)
    given = match[0]
    if given[0].isdigit():
        value = float(given.replace(",", ""))
        other = value * rng.choice([0.5, 1.5, 2, 3, 10]) + rng.choice([0, 1, 2])
        other = other if other != value else value + 1
        new = f"{other:,.0f}" if "." not in given else f"{other:.{len(given.split('.')[1])}f}"
        if new == given:
            new = f"{value + 3:,.0f}"
    else:
        new = rng.choice([w for w in _WORD_NUMBERS if w != given.lower()])
        new = new.capitalize() if given[0].isupper() else new
    return case.claim[: match.start()] + new + case.claim[match.end() :]


def unit(case, rng, _world):
    found = list(_UNIT.finditer(case.claim))
    if found:
        match = rng.choice(found)
        new = rng.choice([u for u in _UNIT_OF[match[1]] if u != match[1]])
        plural = {"foot": "feet"}.get(new, new + "s") if match[2] else new
        return case.claim[: match.start(1)] + plural + case.claim[match.end() :]
    if short := _SHORT.search(case.claim):
        return case.claim[: short.start(2)] + _SHORT_UNITS[short[2]] + case.claim[short.end() :]
    for sign, other in _SIGN.items():
        if sign in case.claim:
            return case.claim.replace(sign, other, 1)
    return None


def date(case, rng, _world):
    years, months = list(_YEAR.finditer(case.claim)), list(_MONTH.finditer(case.claim))
    months = [m for m in months if m[0] not in {"March", "May"} or m.start() > 0]
    if not years and not months:
        return None
    match = rng.choice(years + months)
    if match[0].isdigit():
        new = str(int(match[0]) + rng.choice([-20, -10, -3, -1, 1, 2, 5, 12]))
    else:
        new = rng.choice([m for m in _MONTHS if m != match[0]])
    return case.claim[: match.start()] + new + case.claim[match.end() :]


def entity(case, rng, world):
    """Another name in place of one: of the same document, or of another."""
    found = [n for n in Reading(case.claim).names if not n.starts_sentence and n.text.isalpha()]
    if not found:
        return None
    name = rng.choice(found)
    here = world["names"][case.document]
    pool = here if rng.random() < 0.5 and len(here) > 3 else world["all_names"]
    others = [
        n for n in pool if n.casefold() not in case.claim.casefold() and n[:4] != name.text[:4]
    ]
    return case.claim[: name.start] + rng.choice(others) + case.claim[name.end :]


def negation(case, rng, _world):
    if (denied := _DENIAL.search(case.claim)) is not None:
        kept = f"{denied[1]} " if denied[1] else ""
        return case.claim[: denied.start()] + kept + case.claim[denied.end() :]
    found = list(_VERB.finditer(case.claim))
    if not found:
        return None
    match = rng.choice(found)
    put = {"has": "has never", "had": "had never"}.get(match[1], f"{match[1]} not")
    return case.claim[: match.start()] + put + case.claim[match.end() :]


_TEMPLATES = (
    'The text says: "{}"',
    'According to the source, "{}"',
    "It is stated that “{}”",
    'As the author puts it, "{}"',
)


def quote(case, rng, world):
    """A true sentence with words in quotation marks that nobody wrote, or a wrong one altogether."""
    words = case.origin.rstrip(".").split()
    if rng.random() < 0.5 and len(words) > 7:
        at = rng.randrange(2, len(words) - 2)
        words[at] = rng.choice(world["words"])
        words[at + 1 : at + 1] = [rng.choice(world["words"])]
        return rng.choice(_TEMPLATES).format(" ".join(words) + ".")
    invented = rng.choice(world["invented"])
    return rng.choice(_TEMPLATES).format(invented)


def wrong_file(case, _rng, _world):
    """The sentence as it stands, its passage that of another document."""
    return case.claim


def added(case, rng, world):
    """The sentence with a year, a number or a place more than its source tells."""
    extra = rng.choice(
        [
            f" in {rng.randrange(1500, 2020)}",
            f" after {rng.randrange(3, 400)} {rng.choice(['days', 'metres', 'visits', 'euros'])}",
            f" near {rng.choice(world['all_names'])}",
        ]
    )
    if extra.split()[-1] in case.passage or not case.claim.endswith("."):
        return None
    return case.claim[:-1] + extra + "."


CORRUPTIONS = {
    f.__name__: f for f in (number, unit, date, entity, negation, quote, wrong_file, added)
}
_INVENTED = (
    "The committee was surprised by the result.",
    "Nobody had asked us before, and nobody has asked since.",
    "This was the finest piece of work I have ever seen.",
    "We would do everything in the same way again.",
    "It saved more than a million lives.",
    "There was simply no money left for it.",
    "The old method is dead, and good riddance.",
    "Every child in the country knows the answer.",
)


def corrupted(cases, n_each, seed):
    """`n_each` corruptions of each kind, of verbatim and of paraphrased sentences."""
    rng = random.Random(seed)
    world = _world(cases)
    passages = sorted({(c.document, c.passage) for c in cases})
    found = []
    for kind, corrupt in CORRUPTIONS.items():
        made, pool = [], list(cases)
        rng.shuffle(pool)
        for case in pool:
            claim = corrupt(case, rng, world)
            if claim is None or (claim == case.claim and kind != "wrong_file"):
                continue
            passage = case.passage
            if kind == "wrong_file":
                passage = rng.choice([p for d, p in passages if d != case.document])
                if plain(case.origin) in plain(passage):
                    continue
            made.append(replace(case, claim=claim, passage=passage, kind=kind))
            if len(made) == n_each:
                break
        found += made
    return found


def _world(cases):
    by_document = {}
    for case in cases:
        names = [n.text for n in Reading(case.passage).names if not n.starts_sentence]
        by_document.setdefault(case.document, set()).update(n for n in names if n.isalpha())
    everything = sorted(set().union(*by_document.values()))
    words = sorted({w for c in cases for w in Reading(c.origin).content if len(w) > 4})
    return {
        "names": {k: sorted(v) for k, v in by_document.items()},
        "all_names": everything,
        "words": words,
        "invented": _INVENTED,
    }
