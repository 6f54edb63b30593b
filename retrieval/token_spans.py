"""Where the tokens of a text stand, for texts of any length, with the `tokenizers` library.

The library takes half a second a megabyte, most of it for words that it has seen before. A BERT
tokenizer reads words one by one, so long texts are taken apart at the borders that it is sure to
keep, and each distinct word is given to it once (`retrieval.known_words`). Other tokenizers read the whole text.
"""

from __future__ import annotations

import itertools
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from retrieval.known_words import KnownWords

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

# One call for a whole book takes memory many times its size, and a batch of pieces is spread
# over the cores; ours, smallest of 8k-256k within 3 % of the fastest.
_PIECE_CHARS = 16_384
_BATCH_PIECES = 16
# The BERT tokenizers give up on words longer than this and make them one unknown token.
_MAX_WORD_CHARS = 100
_SHORT_CHARS = 1024  # the library alone is as quick here
_WORDS_AT_ONCE_CHARS = 262_144


def plain_tokenizer(json: str) -> Tokenizer:
    """A tokenizer of this description that neither cuts nor pads, whatever the description says.

    The default model's says to do both at 128 tokens.
    """
    from tokenizers import Tokenizer  # noqa: PLC0415  only a loaded model needs it

    tokenizer = Tokenizer.from_str(json)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def readable(text: str) -> str:
    """The text with "?" for every lone half of a surrogate pair, which the tokenizers refuse."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def token_spans(tokenizer: Tokenizer, text: str) -> NDArray[np.int32]:
    """(n_tokens, 2) character starts and ends, in order of start, without special tokens.

    A word too long for the vocabulary is one unknown token to the model. Here it counts as a
    token a character: else a megabyte of base64 would be one token and fill one window.
    """
    text = readable(text)
    words = _words_of(tokenizer) if len(text) > _SHORT_CHARS else None
    if words is None or any(special in text for special in _special(tokenizer)):
        return _read(tokenizer, text)
    found = [
        words.spans(text[start:end]) + np.int32(start)
        for start, end in _pieces(text, _WORDS_AT_ONCE_CHARS)
    ]
    return np.concatenate(found)


def _read(tokenizer: Tokenizer, text: str) -> NDArray[np.int32]:
    """The same by the library alone, whatever the tokenizer."""
    found = [np.empty((0, 2), dtype=np.int32)]
    pieces = _pieces(text, _PIECE_CHARS)
    while batch := list(itertools.islice(pieces, _BATCH_PIECES)):
        encodings = _encode(tokenizer, [text[start:end] for start, end in batch])
        for (start, _), encoding in zip(batch, encodings, strict=True):
            spans = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2)
            found.append(spans + np.int32(start))
    return _spread_long_words(np.concatenate(found))


def _encode(tokenizer: Tokenizer, texts: list[str]) -> list[Encoding]:
    if len(texts) == 1:  # spreading one over the cores takes longer than reading it
        return [tokenizer.encode(texts[0], add_special_tokens=False)]
    return tokenizer.encode_batch(texts, add_special_tokens=False)


@lru_cache(maxsize=2)
def _words_of(tokenizer: Tokenizer) -> KnownWords | None:
    """What is remembered of this tokenizer's words; None if it does not read word by word."""
    from tokenizers.models import WordPiece  # noqa: PLC0415  only a loaded model needs it
    from tokenizers.normalizers import BertNormalizer  # noqa: PLC0415
    from tokenizers.pre_tokenizers import BertPreTokenizer  # noqa: PLC0415

    reads_words = (
        isinstance(tokenizer.model, WordPiece)
        and isinstance(tokenizer.normalizer, BertNormalizer)
        and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
    )
    return KnownWords(partial(_tokens_of_words, tokenizer)) if reads_words else None


@lru_cache(maxsize=2)
def _special(tokenizer: Tokenizer) -> tuple[str, ...]:
    """Texts such as "[SEP]", which the tokenizer takes out before it reads words."""
    return tuple(each.content for each in tokenizer.get_added_tokens_decoder().values())


def _tokens_of_words(tokenizer: Tokenizer, words: Sequence[str]) -> list[NDArray[np.int32]]:
    """Each word's own tokens, (n_tokens, 2)."""
    short = [word for word in words if len(word) <= _MAX_WORD_CHARS]
    encodings = iter(tokenizer.encode_batch(short, add_special_tokens=False))
    return [
        np.array(next(encodings).offsets, dtype=np.int32).reshape(-1, 2)
        if len(word) <= _MAX_WORD_CHARS
        else _read(tokenizer, word)
        for word in words
    ]


def _pieces(text: str, n_chars: int) -> Iterator[tuple[int, int]]:
    """Spans that cover the text, cut at white space unless there is none for a whole piece."""
    start = 0
    while start < len(text):
        end = min(start + n_chars, len(text))
        if end < len(text):
            end = _white_space_before(text, start, end) or end
        yield start, end
        start = end


def _white_space_before(text: str, start: int, end: int) -> int | None:
    """The last place in text[start:end], not the first, where a white-space character stands."""
    head = text[start:end].rstrip()
    if len(head) < end - start:
        return start + len(head) if head else None
    last_word = head.split()[-1]
    return end - len(last_word) if len(last_word) < len(head) else None


def _spread_long_words(spans: NDArray[np.int32]) -> NDArray[np.int32]:
    """One span a character in place of each span over _MAX_WORD_CHARS."""
    lengths = spans[:, 1] - spans[:, 0]
    is_long = lengths > _MAX_WORD_CHARS
    if not is_long.any():
        return spans
    repeats = np.where(is_long, lengths, 1)
    first_of = np.cumsum(repeats) - repeats
    within = np.arange(repeats.sum()) - np.repeat(first_of, repeats)
    starts = np.repeat(spans[:, 0], repeats) + within
    ends = np.where(np.repeat(is_long, repeats), starts + 1, np.repeat(spans[:, 1], repeats))
    return np.stack([starts, ends], axis=1).astype(np.int32)
