"""Words looked up all at once give what the tokenizer's own reading of the whole text gives."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tokenizers import Tokenizer

from retrieval import known_words
from retrieval.embedder import default_tokenizer
from retrieval.known_words import KnownWords
from retrieval.token_spans import token_spans

_CHARS = "abcXYZ019 \t\n\r.,-_!?[]{}@#\x00\x07\x0b\x7féüß漢字かなá\u200d\xa0\u2019\u2028\xad한\U0001f600"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return default_tokenizer()


def _read_whole(tokenizer: Tokenizer, text: str) -> list[tuple[int, int]]:
    return [tuple(span) for span in tokenizer.encode(text, add_special_tokens=False).offsets]


@pytest.mark.parametrize("seed", range(30))
def test_any_text_has_the_tokens_that_the_tokenizer_finds(tokenizer, seed):
    rng = random.Random(seed)
    text = "".join(rng.choice(_CHARS) for _ in range(3000))
    assert token_spans(tokenizer, text).tolist() == [
        list(span) for span in _read_whole(tokenizer, text)
    ]


def test_words_that_share_a_place_in_the_table_are_told_apart(monkeypatch):
    monkeypatch.setattr(known_words, "_SLOT_BITS", 2)
    known = KnownWords(lambda words: [np.array([[0, len(word)]], np.int32) for word in words])
    text = " ".join(f"word{n}" for n in range(40))
    for _ in range(2):
        spans = known.spans(text)
        assert [text[start:end] for start, end in spans] == text.split()


def test_what_is_forgotten_is_read_anew(monkeypatch):
    read: list[str] = []

    def spans_of(words):
        read.extend(words)
        return [np.array([[0, len(word)]], np.int32) for word in words]

    monkeypatch.setattr(known_words, "_MAX_WORDS", 3)
    known = KnownWords(spans_of)
    known.spans("one two three four")
    assert known.spans("one five").tolist() == [[0, 3], [4, 8]]
    assert sorted(read) == ["five", "four", "one", "one", "three", "two"]
