"""Do chunks stand on the pages that they name? Asked of poppler, through a public set.

The set is a folder with ``pdfs/`` and ``corpus.jsonl``, in which each page (`_id` = NAME#PAGE) has
its text by pdftotext, a reader that shares no code with ours. Each file is parsed and cut as the
product does by default; of each chunk, what it has on a page must be in that page's text.
``python -m tests.quality.page_places FOLDER`` prints the figures.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from api.settings import Settings
from ingest.chunk import cut
from ingest.sandbox import Sandbox
from retrieval.embedder import Embedder, load_embedder
from retrieval.types import Chunk, ChunkingStrategy, Document

MIN_CHARS = 50  # of a chunk that is judged
MIN_SHARE = 0.9  # of a chunk's words on a page that the page must have
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Judged:
    """One chunk: the worst share of its words that a page of it has, and where that was."""

    where: str
    worst: float
    is_exact: bool  # its span holds it, and its pages are those of its blocks

    @property
    def is_right(self) -> bool:
        """Every page has its share of the chunk."""
        return self.worst >= MIN_SHARE


def judge_folder(folder: Path) -> Iterator[Judged]:
    """Judge every chunk of every PDF of the set that has enough text."""
    settings = Settings.load()
    embedder = load_embedder(settings.embedder, cache=settings.cache)
    pages = page_texts(folder / "corpus.jsonl")
    with Sandbox() as sandbox:
        for path in sorted((folder / "pdfs").glob("*.pdf")):
            document = sandbox.parse(path, filename=path.name)
            yield from judge(document, pages[path.stem], name=path.name, embedder=embedder)


def page_texts(corpus: Path) -> Mapping[str, Mapping[int, str]]:
    """Text of each page by the other reader: name of the file → page from 1 → text."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for line in corpus.read_text("utf-8").splitlines():
        entry = json.loads(line)
        name, _, page = entry["_id"].rpartition("#")
        found[name][int(page)] = entry["text"]
    return found


def judge(
    document: Document, pages: Mapping[int, str], *, name: str, embedder: Embedder
) -> Iterator[Judged]:
    """Cut a document as the product does by default, and judge its chunks."""
    _, chunks = cut(
        document,
        ChunkingStrategy(),
        filename=name,
        token_spans=embedder.token_spans,
        max_tokens=embedder.max_tokens,
    )
    known = {page: _words(text) for page, text in pages.items()}
    for chunk in chunks:
        if chunk.end_char - chunk.start_char < MIN_CHARS:
            continue
        parts = _by_page(document, chunk)
        shares = {page: _share(_words(text), known.get(page)) for page, text in parts.items()}
        page = min(shares, key=lambda each: shares[each])
        named = (chunk.place.first_page, chunk.place.last_page)
        is_exact = named == (min(parts), max(parts)) and _is_span(document, chunk, parts)
        yield Judged(f"{name}, page {page}, chunk {chunk.ordinal}", shares[page], is_exact)


def _by_page(document: Document, chunk: Chunk) -> dict[int, str]:
    parts: dict[int, str] = defaultdict(str)
    for block in document.blocks:
        start = max(block.start_char, chunk.start_char)
        end = min(block.end_char, chunk.end_char)
        if start < end and block.place.first_page is not None:
            parts[block.place.first_page] += document.text[start:end] + "\n"
    return parts


def _is_span(document: Document, chunk: Chunk, parts: Mapping[int, str]) -> bool:
    """Tell whether the span holds what its pages hold, no letter more or less."""
    text = document.text[chunk.start_char : chunk.end_char]
    return text == text.strip() and "".join(text.split()) == "".join(
        "".join(parts[page].split()) for page in sorted(parts)
    )


def _share(words: Counter[str], page: Counter[str] | None) -> float:
    """Share of `words` that the page has, as often as they are asked for."""
    if not words:
        return 1.0
    return (words & page).total() / words.total() if page else 0.0


def _words(text: str) -> Counter[str]:
    """Words without regard to case, forms of letters, and hyphens at a line's end."""
    joined = re.sub(r"(?<=\w)[-\u2010\xad]\s*(?=\w)", "", text)
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", joined).casefold()))


def summary(judged: list[Judged]) -> str:
    """The figures in two lines."""
    right = sum(each.is_right for each in judged)
    exact = sum(each.is_exact for each in judged)
    n_chunks = max(len(judged), 1)
    return (
        f"{right} of {len(judged)} chunks ({right / n_chunks:.4f}) have each page's share of their"
        f" words on that page\n{exact} of {len(judged)} spans exact"
    )


def main() -> None:
    """Print the figures for the folder named, and the worst chunks."""
    judged = list(judge_folder(Path(sys.argv[1])))
    print(summary(judged))
    for each in sorted(judged, key=lambda each: each.worst)[:20]:
        print(f"  {each.worst:.3f} {each.where}")


if __name__ == "__main__":
    main()
