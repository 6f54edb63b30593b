"""What a search asks and what comes back. All frozen, like `retrieval.types`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from retrieval.boxes import PageBoxes
from retrieval.errors import InvalidQuery
from retrieval.filters import Filter
from retrieval.types import Attributes, Place

Ranker = Literal["auto", "default-2024-11-15", "none"]


@dataclass(frozen=True, slots=True)
class HybridWeights:
    """The contract's `hybrid_search`: weights of reciprocal-rank fusion, one of them > 0."""

    embedding: float
    text: float


MAX_RESULTS = 50
MAX_NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Query:
    """A search. `filter` is what `retrieval.filters.parse_filter` returned.

    Raises:
        InvalidQuery: a value is out of range; names the contract's field.
    """

    texts: tuple[str, ...]  # at least one, none blank
    filter: Filter | None = None
    limit: int = 10  # 1 to MAX_RESULTS chunks
    min_score: float = 0.0  # 0 to 1
    ranker: Ranker = "auto"
    weights: HybridWeights | None = None
    rewrite: bool = False
    neighbours: int = 0  # chunks before and after a hit that its text is widened by
    max_tokens: int | None = None  # of all hits' texts together; None is no budget

    def __post_init__(self) -> None:
        if not self.texts or not all(text.strip() for text in self.texts):
            raise InvalidQuery("Invalid 'query': a text that is not blank is needed.")
        if not 1 <= self.limit <= MAX_RESULTS:
            raise InvalidQuery(
                f"Invalid 'max_num_results': expected 1 to {MAX_RESULTS}, but got {self.limit}.",
                param="max_num_results",
            )
        if not 0 <= self.min_score <= 1:
            raise InvalidQuery(
                f"Invalid 'score_threshold': expected 0 to 1, but got {self.min_score}.",
                param="ranking_options.score_threshold",
            )
        if not 0 <= self.neighbours <= MAX_NEIGHBOURS:
            raise InvalidQuery(
                f"Invalid 'neighbours': expected 0 to {MAX_NEIGHBOURS}, but got {self.neighbours}.",
                param="sourcebook.neighbours",
            )
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InvalidQuery(
                f"Invalid 'max_tokens': expected 1 or more, but got {self.max_tokens}.",
                param="sourcebook.max_tokens",
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A scored id; higher is better. Rankings are lists of these, best first."""

    id: int
    score: float


@dataclass(frozen=True, slots=True)
class LegScore:
    """What one leg says of a hit: its rank there (from 1; None if not ranked) and score."""

    rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a hit stands where it stands."""

    plan: str  # how the filter was run, with its reason
    dense: LegScore  # cosine of the chunk, windows combined
    keyword: LegScore  # BM25 of the chunk
    fused: float  # ranking score before calibration
    query: str  # the one of the query's texts that scored best
    features: Mapping[str, float] = field(default_factory=dict)  # what the light ranker saw
    weights: Mapping[str, float] = field(default_factory=dict)  # what each of them counts
    reranker: float | None = None  # what a second look gave, 0-1


@dataclass(frozen=True, slots=True)
class Hit:
    """What the user gets: a chunk with its file, its place and its score in [0, 1]."""

    vector_store_id: str
    file_id: str
    filename: str
    attributes: Attributes
    chunk_ordinal: int
    text: str
    score: float
    start_char: int  # into the stored document text
    end_char: int
    place: Place
    heading_path: tuple[str, ...]
    explanation: Explanation
    boxes: tuple[PageBoxes, ...] | None = None  # None: nobody asked for them

    @property
    def id(self) -> str:
        """Names the chunk within its vector store, stable until the file is indexed anew."""
        return f"{self.file_id}:{self.chunk_ordinal}"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first, and the queries that were really run."""

    queries: tuple[str, ...]
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that speaks against a statement's being borne out by its source."""

    kind: str  # number, unit, date, entity, negation, quote, source or support
    text: str  # the statement's words in question; "" where it is all of it


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that supports a statement; `quote` is the document's text at its span."""

    file_id: str
    filename: str
    quote: str
    start_char: int
    end_char: int
    place: Place
    hit_id: str
    score: float  # support in [0, 1]
    boxes: tuple[PageBoxes, ...] | None = None  # None: nobody asked for them
    supported: bool = True  # False: kept to be shown, though its score is below the bar
    findings: tuple[Finding, ...] = ()  # why the score is low
