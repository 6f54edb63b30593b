"""Search on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from api.wire.filters import Filters
from api.wire.sourcebook import Wanted, WantedOfSearch, hit_extension, search_extension
from api.wire.validation import Closed, empty, kind_of, refuse, too_long
from retrieval.filters import parse_filter
from retrieval.queries import Hit, HybridWeights, Query, Ranker, SearchResult
from retrieval.why_not import WhyNot

DEFAULT_RESULTS = 10
MAX_RESULTS = 50
MAX_QUERIES = 100  # ours: the contract names none, and each query costs a scan
SCORE_DIGITS = 4  # as the hosted service rounds

# The contract's names, then the guides' two spellings of an older ranker, served as `auto`.
RankerName = Literal[
    "none", "auto", "default-2024-11-15", "default-2024-08-21", "default_2024_08_21"
]
_OLD_RANKERS: Final = frozenset({"default-2024-08-21", "default_2024_08_21"})
_FILTER_ALIASES: Final = ("filter", "attribute_filter")
_WEIGHT_ALIASES: Final = {
    "rrf_embedding_weight": "embedding_weight",
    "rrf_text_weight": "text_weight",
}


def _rename(given: Any, aliases: dict[str, str]) -> Any:
    """`given` with aliases under their proper names; refuses two values for one field."""
    if not isinstance(given, dict):
        return given
    renamed = {key: value for key, value in given.items() if key not in aliases}
    for alias, name in aliases.items():
        if given.get(alias) is None:
            continue
        if renamed.get(name) is not None:
            refuse(f"Mutually exclusive parameters: give only '{name}'.", at=f".{alias}")
        renamed[name] = given[alias]
    return renamed


def _hybrid_schema(schema: dict[str, Any]) -> None:
    """Adds the aliases, and that one of the weights is above 0."""
    add_aliases(schema, _WEIGHT_ALIASES)
    del schema["required"]
    names = [(name, alias) for alias, name in _WEIGHT_ALIASES.items()]
    schema["allOf"] = [{"oneOf": [{"required": [name]} for name in pair]} for pair in names]
    schema["anyOf"] = [
        {"properties": {name: {"exclusiveMinimum": 0}}, "required": [name]}
        for pair in names
        for name in pair
    ]


def add_aliases(schema: dict[str, Any], aliases: dict[str, str]) -> None:
    """Adds to a JSON schema of an object other names of its fields."""
    fields = schema["properties"]
    for alias, name in aliases.items():
        fields[alias] = {**fields[name], "description": f"Another name of `{name}`."}


class Hybrid(Closed):
    """Weights of the two rankings in reciprocal rank fusion, at least one of them above 0."""

    model_config = ConfigDict(json_schema_extra=_hybrid_schema)

    embedding_weight: float = Field(ge=0.0)
    text_weight: float = Field(ge=0.0)

    @model_validator(mode="before")
    @classmethod
    def _aliases(cls, given: Any) -> Any:
        return _rename(given, _WEIGHT_ALIASES)

    @model_validator(mode="after")
    def _some_weight(self) -> Hybrid:
        if self.embedding_weight == 0 and self.text_weight == 0:
            refuse("Invalid '<path>': at least one of the weights must be greater than 0.")
        return self


class RankingOptions(Closed):
    """How hits are ranked and from which score on they are kept."""

    ranker: RankerName | None = None
    score_threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    hybrid_search: Hybrid | None = None

    def ranker_name(self) -> Ranker:
        """The ranker under the name the engine knows."""
        if self.ranker is None or self.ranker in _OLD_RANKERS:
            return "auto"
        return self.ranker  # type: ignore[return-value]  # the old names are gone

    def weights(self) -> HybridWeights | None:
        """The fusion weights, if any were given."""
        if self.hybrid_search is None:
            return None
        return HybridWeights(self.hybrid_search.embedding_weight, self.hybrid_search.text_weight)


def _texts(given: Any) -> tuple[str, ...]:
    """One query or several, as a tuple with at least one and none of them blank."""
    if isinstance(given, str):
        return (_text(given, at=""),)
    if not isinstance(given, list):
        expected = "a string or an array of strings"
        text = f"Invalid type for '<path>': expected {expected}, but got {kind_of(given)} instead."
        refuse(text, code="invalid_type")
    if not given:
        wrong = empty("<path>", what="array")
        refuse(str(wrong), code=wrong.code)
    if len(given) > MAX_QUERIES:
        wrong = too_long("<path>", what="array", limit=MAX_QUERIES, got=len(given))
        refuse(str(wrong), code=wrong.code)
    return tuple(_text(item, at=f"[{n}]") for n, item in enumerate(given))


def _text(given: Any, *, at: str) -> str:
    if not isinstance(given, str):
        text = f"Invalid type for '<path>': expected a string, but got {kind_of(given)} instead."
        refuse(text, code="invalid_type", at=at)
    if not given.strip():
        wrong = empty("<path>", what="string")
        refuse(str(wrong), code=wrong.code, at=at)
    return given


_TEXT: Final = {"type": "string", "pattern": r"\S"}
_TEXTS: Final = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_QUERIES}


def _search_schema(schema: dict[str, Any]) -> None:
    add_aliases(schema, dict.fromkeys(_FILTER_ALIASES, "filters"))


class SearchRequest(Closed):
    """Body of `POST /vector_stores/{id}/search`."""

    model_config = ConfigDict(json_schema_extra=_search_schema)

    query: Annotated[
        tuple[str, ...], BeforeValidator(_texts), WithJsonSchema({"anyOf": [_TEXT, _TEXTS]})
    ]
    rewrite_query: bool | None = None
    max_num_results: int | None = Field(default=None, ge=1, le=MAX_RESULTS)
    filters: Filters = None
    ranking_options: RankingOptions | None = None
    sourcebook: WantedOfSearch | None = None

    @model_validator(mode="before")
    @classmethod
    def _aliases(cls, given: Any) -> Any:
        return _rename(given, dict.fromkeys(_FILTER_ALIASES, "filters"))

    def to_query(self) -> Query:
        """For `Engine.search`.

        Raises:
            InvalidFilter: `filters` is malformed.
        """
        options = self.ranking_options or RankingOptions()
        beyond = self.sourcebook or WantedOfSearch()
        return Query(
            texts=self.query,
            filter=parse_filter(self.filters),
            limit=self.max_num_results or DEFAULT_RESULTS,
            min_score=options.score_threshold or 0.0,
            ranker=options.ranker_name(),
            weights=options.weights(),
            rewrite=bool(self.rewrite_query),
            neighbours=beyond.neighbours or 0,
            max_tokens=beyond.max_tokens,
        )


def results_body(
    result: SearchResult, want: Wanted, missing: Sequence[WhyNot] | None = None
) -> dict[str, Any]:
    """The page of search results; `search_query` is an array even for one query.

    Args:
        result: the hits.
        want: what each carries beyond the contract.
        missing: what became of files and chunks that the request asked about; None if of none.
    """
    page = {
        "object": "vector_store.search_results.page",
        "search_query": list(result.queries),
        "data": [_hit_body(hit, want) for hit in result.hits],
        "has_more": False,
        "next_page": None,
    }
    return page if missing is None else {**page, "sourcebook": search_extension(missing)}


def _hit_body(hit: Hit, want: Wanted) -> dict[str, Any]:
    body = {
        "file_id": hit.file_id,
        "filename": hit.filename,
        "score": round(hit.score, SCORE_DIGITS),
        "attributes": dict(hit.attributes),
        "content": [{"type": "text", "text": hit.text}],
    }
    extension = hit_extension(hit, want)
    return body if extension is None else {**body, "sourcebook": extension}
