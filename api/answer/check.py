"""Any text against any sources: which of its sentences are borne out, by what, and why not.

What answers go through before they are sent, for texts that were written elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.answer.markers import Marker, MarkerFilter, Reference
from retrieval.cite import text_units
from retrieval.errors import InvalidRequest, NotFound
from retrieval.verify import Finding, Verdict, Verifier

if TYPE_CHECKING:
    from api.engine import Engine

N_TRIED = 4  # sources checked for a sentence that names none, the likeliest by their words
MAX_TEXT_CHARS = 200_000
MAX_SOURCES = 100
MAX_SOURCE_CHARS = 20_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """A text that should bear a claim out, and where it comes from, if from our files."""

    text: str
    name: str = ""  # file name; a marker may call the source by it
    headings: tuple[str, ...] = ()
    start_char: int = 0  # of `text` in its document
    vector_store_id: str | None = None
    file_id: str | None = None
    hit_id: str | None = None

    @property
    def context(self) -> str:
        """What is known beside the text."""
        return "\n".join([self.name.rpartition(".")[0] or self.name, *self.headings])


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence and what its sources say to it."""

    text: str
    start_char: int  # in the text without markers
    end_char: int
    score: float | None  # None: it states nothing that could be checked
    supported: bool | None
    findings: tuple[Finding, ...] = ()
    source: int | None = None  # index of the source that bears it out best
    quote_start_char: int = 0  # in that source's document
    quote_end_char: int = 0
    quote: str = ""
    cited: tuple[int, ...] = ()  # indexes of the sources that its markers name


@dataclass(frozen=True, slots=True)
class Checked:
    """A text without its markers, sentence by sentence."""

    text: str
    sentences: tuple[CheckedSentence, ...]

    @property
    def supported(self) -> bool:
        """Whether every sentence that states something is borne out."""
        return all(each.supported is not False for each in self.sentences)

    @property
    def score(self) -> float | None:
        """The lowest score of a sentence."""
        scores = [each.score for each in self.sentences if each.score is not None]
        return min(scores, default=None)


def check(
    text: str, sources: Sequence[Source], *, verifier: Verifier, min_support: float
) -> Checked:
    """Check a text.

    Args:
        text: may hold markers such as ``[2]``, which name sources by their number from 1, by
            file id or by name; a sentence with markers must be borne out by those, any other
            by any of the sources.
        sources: at most MAX_SOURCES.
        verifier: what decides.
        min_support: score from which on a sentence counts as supported, 0 to 1.

    Raises:
        InvalidRequest: text or sources are blank, or too long.
    """
    _check_sizes(text, sources)
    plain, marked = _without_markers(text)
    spans = text_units(plain)
    cited = _cited(spans, marked)
    sentences = (
        _checked_sentence(plain, span, cited.get(n), sources, verifier, min_support)
        for n, span in enumerate(spans)
    )
    return Checked(plain, tuple(sentences))


def _check_sizes(text: str, sources: Sequence[Source]) -> None:
    if not text.strip():
        raise InvalidRequest("Invalid 'text': it is blank.", param="text", code="empty_string")
    if len(text) > MAX_TEXT_CHARS:
        message = f"Invalid 'text': expected at most {MAX_TEXT_CHARS} characters, got {len(text)}."
        raise InvalidRequest(message, param="text", code="string_above_max_length")
    if not sources:
        message = "Invalid 'sources': at least one is needed."
        raise InvalidRequest(message, param="sources", code="empty_array")
    n_chars = sum(len(source.text) for source in sources)
    if len(sources) > MAX_SOURCES or n_chars > MAX_SOURCE_CHARS:
        message = (
            f"Invalid 'sources': expected at most {MAX_SOURCES} of together {MAX_SOURCE_CHARS}"
            f" characters, but got {len(sources)} of {n_chars}."
        )
        raise InvalidRequest(message, param="sources", code="array_above_max_length")


def _without_markers(text: str) -> tuple[str, list[tuple[int, tuple[Reference, ...]]]]:
    """The clean text, and the markers with the place where each stood."""
    clean, plain = MarkerFilter(), ""
    marked: list[tuple[int, tuple[Reference, ...]]] = []
    for piece in [*clean.feed(text), *clean.finish()]:
        if isinstance(piece, Marker):
            marked.append((len(plain), piece.references))
        else:
            plain += piece
    return plain, marked


def _cited(
    spans: Sequence[tuple[int, int]], marked: list[tuple[int, tuple[Reference, ...]]]
) -> dict[int, list[Reference]]:
    """Sentence → what its markers name; one after the full stop belongs to what it ends."""
    found: dict[int, list[Reference]] = {}
    starts = [start for start, _ in spans]
    for place, references in marked:
        n = max(0, bisect_left(starts, place) - 1)
        found.setdefault(n, []).extend(references)
    return found


def _checked_sentence(
    plain: str,
    span: tuple[int, int],
    named: list[Reference] | None,
    sources: Sequence[Source],
    verifier: Verifier,
    min_support: float,
) -> CheckedSentence:
    claim = plain[slice(*span)]
    if not verifier.states(claim):
        return CheckedSentence(claim, *span, score=None, supported=None)
    wanted = None if named is None else tuple(_resolved(named, sources))
    if wanted == ():
        unknown = Finding("source", ", ".join(map(str, named or ())))
        return CheckedSentence(claim, *span, score=0.0, supported=False, findings=(unknown,))
    tried = _likely(claim, sources, verifier) if wanted is None else wanted
    verdicts = {n: _verdict(claim, sources[n], verifier) for n in dict.fromkeys(tried)}
    best = max(verdicts, key=lambda n: verdicts[n].score)
    found, source = verdicts[best], sources[best]
    score = found.score
    if score < min_support and wanted is not None and len(verdicts) > 1:
        score = max(score, _together(claim, [sources[n] for n in verdicts], verifier).score)
    return CheckedSentence(
        claim,
        *span,
        score=score,
        supported=score >= min_support,
        findings=found.findings if score == found.score else (),
        source=best,
        quote_start_char=source.start_char + found.start_char,
        quote_end_char=source.start_char + found.end_char,
        quote=source.text[found.start_char : found.end_char],
        cited=wanted or (),
    )


def _verdict(claim: str, source: Source, verifier: Verifier) -> Verdict:
    return verifier.verify(claim, source.text, context=source.context)


def _together(claim: str, sources: Sequence[Source], verifier: Verifier) -> Verdict:
    """A claim that draws on several sources at once."""
    texts = "\n\n".join(source.text for source in sources)
    return verifier.verify(claim, texts, context="\n".join(each.context for each in sources))


def _likely(claim: str, sources: Sequence[Source], verifier: Verifier) -> list[int]:
    held = [verifier.held(claim, source.text, context=source.context) for source in sources]
    return sorted(range(len(sources)), key=lambda n: -held[n])[:N_TRIED]


def _resolved(references: list[Reference], sources: Sequence[Source]) -> Iterator[int]:
    for reference in references:
        if isinstance(reference, int):
            if 0 < reference <= len(sources):
                yield reference - 1
        else:
            named = [n for n, s in enumerate(sources) if reference in {s.file_id, s.name}]
            yield from named[:1]


def file_source(engine: Engine, store_id: str, file_id: str) -> Source:
    """The whole text of a file in a vector store.

    Raises:
        NotFound: there is no such file in the vector store.
        Conflict: it has no text yet, or could not be read.
    """
    text = engine.content(store_id, file_id)
    name = engine.attachment(store_id, file_id).filename
    return Source(text, name, vector_store_id=store_id, file_id=file_id)


def hit_source(engine: Engine, store_id: str, hit_id: str) -> Source:
    """The chunk that a hit is of, as `Hit.id` names it.

    Raises:
        NotFound: there is no such hit in the vector store.
    """
    file_id, _, ordinal = hit_id.rpartition(":")
    with engine.store.read() as view:
        attachment = view.attachments.get(store_id, file_id)
        number = view.attachments.number(store_id, file_id)
        chunk = view.chunks.get(number, int(ordinal)) if ordinal.isdecimal() else None
        if chunk is None:
            raise NotFound("hit", hit_id)
        text = view.commits.text(number, chunk.start_char, chunk.end_char)
    return Source(
        text,
        attachment.filename,
        headings=chunk.heading_path,
        start_char=chunk.start_char,
        vector_store_id=store_id,
        file_id=file_id,
        hit_id=hit_id,
    )
