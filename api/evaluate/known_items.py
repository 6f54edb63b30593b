"""Questions made from the user's own vector store, without a language model.

A known item is a sentence that someone remembers badly: it is there, and only there. One is
taken at random from the sentences with the rarest words; the words of no content go, of the
others about half are kept, and where the store knows another form of a kept word (the same stem)
that form may stand in its place. A question is right when the hit holds the sentence.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from api.engine import Engine
from api.evaluate.judged import JudgedSet, Question, Reference, SetDocument, invalid
from retrieval.analysis import STOP_WORDS, terms
from retrieval.sentences import sentence_spans
from retrieval.types import PageRequest

_MIN_WORDS, _MAX_WORDS = 8, 40  # of a sentence
_RARE_SHARE = 0.5  # of the sentences, those with the rarest words
_KEPT_SHARE = 0.5  # of a sentence's words of content
_MIN_KEPT = 3
_OTHER_FORM_SHARE = 0.5  # of the kept words that have one
_RARE_WORDS = 4  # a sentence is as distinctive as its rarest words


@dataclass(frozen=True, slots=True)
class _Sentence:
    filename: str
    text: str
    start_char: int
    end_char: int
    words: tuple[str, ...]  # of content, in order


def known_items(engine: Engine, store_id: str, *, n: int, seed: int) -> JudgedSet:
    """`n` questions about a vector store, the same ones for the same store and seed.

    Args:
        engine: open.
        store_id: of the vector store.
        n: how many; fewer where the store has not so many distinct sentences.
        seed: of the choice of sentences and words.

    Raises:
        InvalidRequest: the store holds no sentence of 8 to 40 words that it has but once.
    """
    texts = dict(_texts(engine, store_id))
    sentences = _once(_sentences(texts))
    if not sentences:
        raise invalid(
            f"No questions can be made from {store_id}: it holds no sentence of"
            f" {_MIN_WORDS} to {_MAX_WORDS} words that stands there once.",
            param="store",
        )
    holders = Counter(term for each in sentences for term in set(_terms(each.words)))
    rare = sorted(sentences, key=lambda each: _commonness(each, holders))
    rare = rare[: max(n, int(len(rare) * _RARE_SHARE))]
    rng = random.Random(seed)  # noqa: S311 - a choice of questions, no secret
    forms = _forms(sentences)
    chosen = rng.sample(rare, min(n, len(rare)))
    questions = (_question(each, f"known-{i}", rng, forms) for i, each in enumerate(chosen))
    documents = (SetDocument(name, name, text, {}) for name, text in texts.items())
    return JudgedSet(f"known items, seed {seed}", tuple(documents), tuple(questions))


def _texts(engine: Engine, store_id: str) -> Iterator[tuple[str, str]]:
    """File names with their stored text; of files of one name the last."""
    after: str | None = None
    while True:
        page = engine.attachments(store_id, PageRequest(limit=100, order="asc", after=after))
        for attached in page.items:
            if attached.status == "completed":
                yield attached.filename, engine.content(store_id, attached.file_id)
        if not page.has_more:
            return
        after = page.items[-1].file_id


def _sentences(texts: Mapping[str, str]) -> Iterator[_Sentence]:
    for filename, text in texts.items():
        for start, end in sentence_spans(text):
            sentence = text[start:end]
            if _MIN_WORDS <= len(sentence.split()) <= _MAX_WORDS:
                words = tuple(word for word in _words(sentence) if _has_content(word))
                yield _Sentence(filename, sentence, start, end, words)


def _words(text: str) -> list[str]:
    return [word for raw in text.split() if (word := raw.strip("\"'“”‘’().,;:!?[]{}<>|*_#"))]


def _has_content(word: str) -> bool:
    """Whether a search would look for it."""
    return not STOP_WORDS.issuperset(terms(word))


def _once(sentences: Iterator[_Sentence]) -> list[_Sentence]:
    """Those with enough words of content whose text no other has."""
    every = [each for each in sentences if len(each.words) >= _MIN_KEPT]
    n_times = Counter(" ".join(each.text.split()).casefold() for each in every)
    return [each for each in every if n_times[" ".join(each.text.split()).casefold()] == 1]


def _terms(words: Sequence[str]) -> list[str]:
    return [term for word in words for term in terms(word)]


def _commonness(sentence: _Sentence, holders: Mapping[str, int]) -> int:
    """In how many sentences its rarest words stand, added up."""
    counts = sorted(holders[term] for term in set(_terms(sentence.words)))
    return sum(counts[:_RARE_WORDS])


def _forms(sentences: Sequence[_Sentence]) -> dict[str, list[str]]:
    """The words of the store by their stem, in an order that is always the same."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for word in {word.casefold() for each in sentences for word in each.words if word.isalpha()}:
        stems = terms(word)
        if len(stems) == 1:
            found[stems[0]].add(word)
    return {stem: sorted(words) for stem, words in found.items()}


def _question(
    sentence: _Sentence, id: str, rng: random.Random, forms: Mapping[str, Sequence[str]]
) -> Question:
    n_kept = max(_MIN_KEPT, round(len(sentence.words) * _KEPT_SHARE))
    kept = sorted(rng.sample(range(len(sentence.words)), n_kept))
    words = [_other_form(sentence.words[place], rng, forms) for place in kept]
    where = Reference(sentence.filename, sentence.text, sentence.start_char, sentence.end_char)
    return Question(id, " ".join(words), {}, (where,))


def _other_form(word: str, rng: random.Random, forms: Mapping[str, Sequence[str]]) -> str:
    stems = terms(word)
    others = forms.get(stems[0], ()) if len(stems) == 1 else ()
    others = [each for each in others if each != word.casefold()]
    return rng.choice(others) if others and rng.random() < _OTHER_FORM_SHARE else word
