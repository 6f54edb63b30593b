"""Windows and chunks: what must hold for every document, and how the rules come out."""

import random
import time
import unicodedata
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingest.chunk import cut
from ingest.prefix import filename_words
from retrieval.embedder import DEFAULT_MODEL, HashEmbedder, load_embedder
from retrieval.types import Block, ChunkingStrategy, Document, Place

SIZES = ChunkingStrategy(max_chunk_size_tokens=100, chunk_overlap_tokens=50)


@cache
def minilm():
    # Hypothesis' examples take no fixtures; what is loaded does not need its folder any more.
    with TemporaryDirectory() as folder:
        return load_embedder(DEFAULT_MODEL, cache=Path(folder))


def document(*blocks):
    """A document of (kind, text) blocks, one a line; headings nest by their leading #s."""
    text, made, path = "", [], []
    for line, (kind, body) in enumerate(blocks, start=1):
        if kind == "heading":
            depth = len(body) - len(body.lstrip("#"))
            path = [*path[: max(depth - 1, 0)], body]
        place = Place(first_line=line, last_line=line)
        made.append(Block(kind, len(text), len(text) + len(body), place, tuple(path)))
        text += body + "\n\n"
    return Document("text/plain", text, tuple(made))


def run(doc, strategy=SIZES, *, filename="notes.txt", embedder=None, max_tokens=256):
    token_spans = (embedder or HashEmbedder()).token_spans
    return cut(doc, strategy, filename=filename, token_spans=token_spans, max_tokens=max_tokens)


def texts(doc, pieces):
    return [doc.text[piece.start_char : piece.end_char] for piece in pieces]


def words(n, word="word"):
    return " ".join(f"{word}{i}" for i in range(n))


# --- what must hold for every document ------------------------------------------------------

WORDS = st.sampled_from(
    ["the", "clock", "unbelievably", "Dr.", "3.14", "end.", "Why?", "東京は。", "서울은대한민국", "ひらがな",
     "x" * 130, "ab" * 40, "naïve", "foo_bar", "http://a.b/c?d=e", "[SEP]", "10°C", "e\u0301a", "a\u200bb",
     "\x0c", "z\x0cz", "—", "🙂🙂", "\n"]
)  # fmt: skip
BODIES = st.one_of(
    st.lists(WORDS, min_size=1, max_size=90).map(" ".join),
    st.lists(WORDS, min_size=1, max_size=60).map("".join),
    st.text(min_size=1, max_size=200),
)
KINDS = st.sampled_from(["heading", "paragraph", "list_item", "table_row", "code", "other"])
DOCUMENTS = st.lists(st.tuples(KINDS, BODIES.map(str.strip).filter(bool)), max_size=12).map(
    lambda blocks: document(*blocks)
)
STRATEGIES = st.integers(100, 900).flatmap(
    lambda size: st.builds(ChunkingStrategy, st.just(size), st.integers(0, size // 2))
)
EMBEDDERS = st.sampled_from(["hash", "minilm"]).map(
    lambda name: HashEmbedder() if name == "hash" else minilm()
)


@given(DOCUMENTS, STRATEGIES, EMBEDDERS, st.sampled_from([256, 128, 40]))
@example(document(("other", "x" * 250)), ChunkingStrategy(100, 1), HashEmbedder(), 256)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_invariants(doc, strategy, embedder, max_tokens):
    windows, chunks = run(doc, strategy, embedder=embedder, max_tokens=max_tokens)
    check_windows(doc, windows, strategy=strategy, embedder=embedder, max_tokens=max_tokens)
    check_chunks(doc, windows, chunks, strategy=strategy, embedder=embedder)


def check_windows(doc, windows, *, strategy, embedder, max_tokens):
    overlap = strategy.chunk_overlap_tokens or 200
    target = max(32, min(200, strategy.max_chunk_size_tokens, overlap))
    at = 0
    for ordinal, window in enumerate(windows):
        text = doc.text[window.start_char : window.end_char]
        assert window.ordinal == ordinal
        assert window.start_char >= at
        assert doc.text[at : window.start_char].strip() == "", "a window left something out"
        assert text.strip() == text != ""
        assert window.n_tokens == len(embedder.token_spans(text)) <= target
        n_prefix = len(embedder.token_spans(window.prefix))
        assert n_prefix <= 24
        assert n_prefix + window.n_tokens + 2 <= max_tokens
        at = window.end_char
    assert doc.text[at:].strip() == ""


def check_chunks(doc, windows, chunks, *, strategy, embedder):
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    reached = 0  # windows that some chunk has already
    for chunk in chunks:
        end = chunk.first_window + chunk.n_windows
        assert chunk.first_window <= reached < end, "left out a window, or added none"
        inside = windows[chunk.first_window : end]
        assert (chunk.start_char, chunk.end_char) == (inside[0].start_char, inside[-1].end_char)
        n_tokens = len(embedder.token_spans(doc.text[chunk.start_char : chunk.end_char]))
        assert chunk.n_tokens == n_tokens <= strategy.max_chunk_size_tokens
        if chunk.first_window < reached:
            shared = doc.text[chunk.start_char : windows[reached - 1].end_char]
            assert len(embedder.token_spans(shared)) <= strategy.chunk_overlap_tokens
        touched = [
            block for block in doc.blocks
            if block.start_char < chunk.end_char and block.end_char > chunk.start_char
        ]  # fmt: skip
        assert chunk.place == Place.over(block.place for block in touched)
        assert chunk.heading_path in {block.heading_path for block in touched}
        reached = end
    assert reached == len(windows)


# --- how the rules come out -----------------------------------------------------------------


def test_document_without_text_has_nothing():
    assert run(Document("text/plain", "", ())) == ([], [])


def test_text_without_tokens_is_kept():
    doc = document(("paragraph", "\x1b"), ("heading", "\x1b"))  # the model drops such characters
    windows, chunks = run(doc, embedder=minilm())
    check_windows(doc, windows, strategy=SIZES, embedder=minilm(), max_tokens=256)
    check_chunks(doc, windows, chunks, strategy=SIZES, embedder=minilm())


def test_short_document_is_one_window_and_one_chunk():
    doc = document(("paragraph", "Noon is when the sun stands highest."))
    windows, chunks = run(doc)
    assert texts(doc, windows) == texts(doc, chunks) == ["Noon is when the sun stands highest."]
    assert chunks[0].place == Place(first_line=1, last_line=1)


def test_windows_are_whole_sentences():
    sentences = [f"{words(14)} ends{i}." for i in range(9)]  # 16 tokens each, the stop counted
    doc = document(("paragraph", " ".join(sentences)))
    windows, _ = run(doc)  # target 50: three sentences are 48
    assert texts(doc, windows) == [" ".join(sentences[i : i + 3]) for i in (0, 3, 6)]


def test_windows_are_about_equally_full():
    # 4 x 16 tokens do not fit 50: two windows of 32, not one of 48 and a scrap of 16.
    doc = document(("paragraph", " ".join(f"{words(14)} ends{i}." for i in range(4))))
    windows, _ = run(doc)
    assert [window.n_tokens for window in windows] == [32, 32]


def test_sentence_longer_than_a_window_is_split_between_words():
    doc = document(("paragraph", words(120)))
    windows, _ = run(doc)
    assert [window.n_tokens for window in windows] == [40, 40, 40]
    assert " ".join(texts(doc, windows)) == words(120)


def test_heading_goes_with_what_follows_it():
    doc = document(("paragraph", words(45)), ("heading", "# Next"), ("paragraph", words(45)))
    windows, _ = run(doc)
    assert texts(doc, windows) == [words(45), "# Next\n\n" + words(45)]


def test_short_sections_share_a_window_and_long_ones_do_not():
    short = [
        ("heading", "# A"),
        ("paragraph", words(8)),
        ("heading", "# B"),
        ("paragraph", words(8)),
    ]
    doc = document(*short, ("heading", "# C"), ("paragraph", words(40)))
    windows, _ = run(doc)
    assert [window.n_tokens for window in windows] == [20, 42]
    assert doc.text[windows[1].start_char :].startswith("# C")


def test_rows_and_items_are_not_split():
    row = "| Dr. A. | B. C! | " + words(7) + " |"
    doc = document(*[("table_row", row)] * 6)
    windows, _ = run(doc)
    assert all(text.startswith(row) and text.endswith(row) for text in texts(doc, windows))


def test_code_is_cut_between_lines():
    code = "\n".join(f"value_{i} = compute({i}, {i})" for i in range(20))
    doc = document(("code", code))
    windows, _ = run(doc)
    assert len(windows) > 1
    assert all(text.startswith("value_") and text.endswith(")") for text in texts(doc, windows))


def test_chunks_share_whole_windows_up_to_the_overlap():
    doc = document(*[("paragraph", f"{words(24)} {i}.") for i in range(8)])  # 26 tokens each
    windows, chunks = run(doc)  # size 100: three windows of 26; overlap 50: one of 26
    assert [window.n_tokens for window in windows] == [26] * 8
    assert [(chunk.first_window, chunk.n_windows) for chunk in chunks] == [
        (0, 3),
        (2, 3),
        (4, 3),
        (6, 2),
    ]


def test_without_overlap_chunks_share_nothing():
    doc = document(*[("paragraph", f"{words(44)} {i}.") for i in range(10)])
    _, chunks = run(doc, ChunkingStrategy(100, 0))
    assert [chunk.first_window for chunk in chunks[1:]] == [
        chunk.first_window + chunk.n_windows for chunk in chunks[:-1]
    ]


def test_chunk_ends_before_a_heading_when_it_is_nearly_full():
    first = [("heading", "# One"), *[("paragraph", words(39))] * 2]  # 80 of 100 tokens
    doc = document(*first, ("heading", "# Two"), *[("paragraph", words(14) + ".")] * 9)
    _, chunks = run(doc)
    assert chunks[0].heading_path == ("# One",)
    assert doc.text[chunks[0].end_char :].lstrip().startswith("# Two")


def test_place_spans_the_blocks_of_the_chunk():
    doc = document(*[("paragraph", words(30))] * 3)
    _, chunks = run(doc)
    assert chunks[0].place == Place(first_line=1, last_line=3)


def test_prefix_is_file_name_and_headings_above():
    doc = document(
        ("heading", "# Manual"), ("heading", "## Reset"), ("paragraph", words(45)),
        ("paragraph", words(45)),
    )  # fmt: skip
    windows, _ = run(doc, filename="userGuide_v2.pdf")
    # A heading that the window itself begins with is not said twice.
    assert windows[0].prefix == "user Guide v2"
    assert windows[1].prefix == "user Guide v2 # Manual ## Reset"


def test_long_prefix_keeps_the_innermost_heading():
    doc = document(
        ("heading", "# " + words(30, "above")),
        ("heading", "## Near"),
        *[("paragraph", words(50))] * 2,
    )
    prefix = run(doc)[0][-1].prefix
    assert prefix.endswith("above29 ## Near")
    assert len(HashEmbedder().token_spans(prefix)) == 24


def test_prefix_of_characters_with_several_tokens_keeps_to_its_limit():
    # The model reads a Hangul syllable as two or three letters, all at one place of the text.
    doc = document(
        ("heading", words(15, "above") + " 서울은대한민국 the"), *[("paragraph", words(12))] * 3
    )
    for room in range(28, 60):
        for window in run(doc, embedder=minilm(), max_tokens=room)[0]:
            n_prefix = len(minilm().token_spans(window.prefix))
            assert n_prefix + window.n_tokens + 2 <= room


def test_model_of_short_reach_gets_short_windows():
    doc = document(*[("paragraph", words(30) + ".")] * 20)
    windows, _ = run(doc, ChunkingStrategy(), max_tokens=128, filename="a.txt")
    assert max(window.n_tokens for window in windows) <= 128 - 2 - 24


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("annual_report-2023.pdf", ["annual", "report", "2023"]),
        ("dir/someCamelCase.TXT", ["some", "Camel", "Case"]),
        ("Übersicht Q1.xlsx", ["Übersicht", "Q1"]),
        (".env", ["env"]),
        ("", []),
    ],
)
def test_filename_words(name, expected):
    assert filename_words(name) == expected


@pytest.mark.parametrize(
    "body",
    ["word " * 40_000, "x" * 200_000, "a. " * 60_000, "ひらがな" * 50_000, "{}();" * 40_000],
)
def test_time_grows_with_length_only(body):
    doc = document(("paragraph", body.strip()))
    start = time.process_time()
    run(doc, ChunkingStrategy(), embedder=minilm())
    assert time.process_time() - start < 20  # seconds; a quadratic step takes minutes


def test_no_chunk_holds_rows_of_two_sheets():
    rows = [(sheet, row) for sheet in ("Costs", "Plans") for row in range(1, 6)]
    lines = [f"item: {sheet.lower()} {row}; amount: {row * 100}" for sheet, row in rows]
    blocks, start = [], 0
    for (sheet, row), line in zip(rows, lines, strict=True):
        place = Place(sheet=sheet, first_row=row, last_row=row)
        blocks.append(Block("table_row", start, start + len(line), place))
        start += len(line) + 1
    document = Document("application/x", "\n".join(lines), tuple(blocks))
    embedder = HashEmbedder()
    _, chunks = cut(
        document,
        ChunkingStrategy(),
        filename="a.xlsx",
        token_spans=embedder.token_spans,
        max_tokens=embedder.max_tokens,
    )
    assert [chunk.place for chunk in chunks] == [
        Place(sheet="Costs", first_row=1, last_row=5),
        Place(sheet="Plans", first_row=1, last_row=5),
    ]


# --- what is kept whole, and up to where ------------------------------------------------------

CLUSTERS = [
    "e\u0301",
    "o\u0308\u0304",
    "क्षि",
    "👩\u200d🔬",
    "👍🏽",
    "👨\u200d👩\u200d👧",
    "각",
    "\u1112\u1161\u11ab",
    "ก็",
]


@pytest.mark.parametrize("embedder", [HashEmbedder, minilm], ids=["hash", "minilm"])
@pytest.mark.parametrize("seed", range(4))
def test_no_character_made_of_several_is_split(embedder, seed):
    rng = random.Random(seed)
    text = "".join(rng.choices(CLUSTERS, k=600))  # no space to cut at
    doc = document(("paragraph", text))
    windows, chunks = run(doc, embedder=embedder())
    assert len(windows) > 1
    borders = {piece.start_char for piece in (*windows, *chunks)} - {0}
    for border in borders:
        after, before = text[border], text[border - 1]
        assert not unicodedata.category(after).startswith("M"), hex(ord(after))
        assert "\u200d" not in (before, after)
        assert not 0x1F3FB <= ord(after) <= 0x1F3FF
    text.encode("utf-8")  # no half of a pair: Python's strings hold whole characters


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["code", "table_row", "list_item"])
def test_what_fits_a_window_is_in_one_window_whole(kind, seed):
    rng = random.Random(seed)
    blocks = []
    for number in range(60):
        line = f"b{number} " + words(rng.randint(1, 14), word=f"v{number}x")
        blocks.append((kind, "\n".join([line] * rng.randint(1, 3)) if kind == "code" else line))
        if rng.random() < 0.3:
            blocks.append(("paragraph", words(rng.randint(1, 60)) + "."))
    doc = document(*blocks)
    strategy = ChunkingStrategy(rng.randint(100, 400), rng.randint(40, 50))
    windows, chunks = run(doc, strategy)
    target = max(32, min(200, strategy.max_chunk_size_tokens, strategy.chunk_overlap_tokens))
    for block in doc.blocks:
        n_tokens = len(HashEmbedder().token_spans(doc.text[block.start_char : block.end_char]))
        if block.kind != kind or n_tokens > target:
            continue
        for pieces in (windows, chunks):
            assert any(
                piece.start_char <= block.start_char and block.end_char <= piece.end_char
                for piece in pieces
            )
        assert not any(block.start_char < window.start_char < block.end_char for window in windows)


def test_code_longer_than_a_window_is_cut_at_line_ends_and_a_long_row_at_words():
    code = "\n".join(f"line_{n} = {n}" for n in range(200))
    row = "| " + words(300) + " |"
    doc = document(("code", code), ("table_row", row))
    windows, _ = run(doc)
    for window in windows:
        before, after = (
            doc.text[window.start_char - 1 : window.start_char],
            doc.text[window.end_char :][:1],
        )
        assert before.strip() == after.strip() == ""


@pytest.mark.parametrize("seed", range(3))
def test_pieces_of_a_document_are_cut_like_the_whole(seed, monkeypatch):
    rng = random.Random(seed)
    blocks = []
    for number in range(300):
        kind = rng.choice(["paragraph", "paragraph", "heading", "code", "table_row"])
        blocks.append(
            (kind, f"# Part {number}" if kind == "heading" else words(rng.randint(1, 90)))
        )
    doc = document(*blocks)
    whole = run(doc)
    monkeypatch.setattr("ingest.pieces.PIECE_CHARS", 2_000)
    monkeypatch.setattr("ingest.token_count._WORTH_FORGETTING_CHARS", 500)
    monkeypatch.setattr("ingest.chunk._WORTH_FORGETTING_BLOCKS", 3)
    monkeypatch.setattr("ingest.chunk._WINDOWS_PER_STEP", 2)
    assert run(doc) == whole
