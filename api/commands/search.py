"""`sourcebook search`: hits, why they stand where they stand, and why others do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.commands.text import TEXT
from api.printing import (
    errors_shown,
    fail,
    hit_as_dict,
    print_hit,
    print_json,
    printable,
)

if TYPE_CHECKING:
    from api.engine import Engine
    from retrieval.queries import Explanation, Query, SearchResult
    from retrieval.why_not import WhyNot

_RANKERS = ("auto", "none", "default-2024-11-15")


@click.command()
@click.argument("query", type=TEXT)
@click.option("--store", required=True, type=TEXT, help="Id or name of the vector store.")
@click.option(
    "--filter",
    "filters",
    type=TEXT,
    metavar="JSON",
    help='Such as {"type":"eq","key":"year","value":2024}.',
)
@click.option("-k", "limit", default=10, show_default=True, help="How many hits, 1 to 50.")
@click.option("--min-score", default=0.0, show_default=True, help="Drop hits below, 0 to 1.")
@click.option("--ranker", type=click.Choice(_RANKERS), default="auto", show_default=True)
@click.option("--rewrite", is_flag=True, help="Mend the query first; what was run is shown.")
@click.option("--neighbours", default=0, help="Widen hits by so many chunks on either side.")
@click.option("--max-tokens", type=int, help="Of all hits together.")
@click.option("--explain", is_flag=True, help="Show each leg's rank and score, and features.")
@click.option(
    "--why-not", multiple=True, type=TEXT, metavar="FILE", help="Say what dropped this file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--boxes", is_flag=True, help="With --json: where to draw it on the pages of PDFs and scans."
)
@click.pass_obj
def search(data: Path | None, /, query: str, store: str, **options: Any) -> None:
    """Search a vector store."""
    from api.engine import Engine  # noqa: PLC0415

    with errors_shown(), Engine.open(data) as engine:
        store_id = engine.resolve_store(store).id
        names = [_file_id(engine, store_id, name) for name in options["why_not"]]
        asked = _query(query, options)
        result, missing = engine.why_not(store_id, asked, names)
        if options["boxes"] and options["as_json"]:
            hits = [hit_as_dict(engine.with_boxes(hit)) for hit in result.hits]
        else:
            hits = [hit_as_dict(hit) for hit in result.hits]
    if options["as_json"]:
        print_json({"queries": result.queries, "hits": hits, **_missing_as_dict(missing)})
    else:
        _print(result, asked, explain=options["explain"])
        for each, name in zip(missing, options["why_not"], strict=True):
            click.echo(f"{printable(name)}: {_reason(each)}")


def _query(text: str, options: dict[str, Any]) -> Query:
    from retrieval.filters import parse_filter  # noqa: PLC0415
    from retrieval.queries import Query  # noqa: PLC0415

    return Query(
        (text,),
        filter=parse_filter(_json_value(options["filters"])),
        **{name: options[name] for name in ("limit", "min_score", "ranker", "rewrite")},
        **{name: options[name] for name in ("neighbours", "max_tokens")},
    )


def _json_value(raw: str | None) -> Any:
    try:
        return None if raw is None else json.loads(raw)
    except ValueError as error:
        fail(f"--filter is not JSON: {error}.")


def _file_id(engine: Engine, store_id: str, name: str) -> str:
    """The id of a file of the vector store, by its name or path; an id or hit's id as it is."""
    if name.startswith("file-"):
        return name
    from retrieval.errors import NotFound  # noqa: PLC0415
    from retrieval.types import PageRequest  # noqa: PLC0415

    after: str | None = None
    while True:
        page = engine.attachments(store_id, PageRequest(limit=1000, order="asc", after=after))
        for attached in page.items:
            if name in {attached.filename, attached.path}:
                return attached.file_id
        if not page.has_more:
            raise NotFound("file", name)
        after = page.items[-1].file_id


def _missing_as_dict(missing: tuple[WhyNot, ...]) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415

    return {"why_not": [asdict(each) for each in missing]} if missing else {}


def _print(result: SearchResult, asked: Query, *, explain: bool) -> None:
    if result.queries != asked.texts:
        click.echo(f"Searched for: {printable(result.queries[0])}")
    for rank, hit in enumerate(result.hits, start=1):
        print_hit(rank, hit, query=result.queries[0])
        if explain:
            click.echo(f"   {_explained(hit.explanation)}")
    if not result.hits:
        click.echo("Nothing found.")


def _explained(found: Explanation) -> str:
    """Both legs, what they make together, and the features that count."""
    legs = (("dense", found.dense), ("keyword", found.keyword))
    parts = [f"{name} {leg.score:.3f} (rank {leg.rank or '–'})" for name, leg in legs]
    parts.append(f"together {found.fused:.3f}")
    if found.reranker is not None:
        parts.append(f"reranker {found.reranker:.3f}")
    counts = [
        f"{name} {value:.2f} × {found.weights[name]:.2f}"
        for name, value in found.features.items()
        if value and found.weights.get(name)
    ]
    return "; ".join(parts) + (f"; of {', '.join(counts)}" if counts else "")


# What to make of each stage; `{rank}`, `{score}` and `{last}` where it was ranked.
_REASONS = {
    "not_indexed": "it is not indexed (yet)",
    "filter": "the filter leaves it out",
    "candidate_depth": "neither words nor meaning bring it among the candidates",
    "fusion": "it was a candidate, but others rank higher when both legs are put together",
    "threshold": "its score {score} is below --min-score",
    "merged": "better hits of its file show the same text",
    "limit": "it ranks {rank}, below the last hit ({score}, that one {last})",
    "max_tokens": "the hits before it use up --max-tokens",
    "returned": "it is among the hits",
}


def _reason(found: WhyNot) -> str:
    shown = {"score": found.score, "last": found.last_score}
    numbers = {name: "–" if x is None else f"{x:.2f}" for name, x in shown.items()}
    return f"{found.stage}: " + _REASONS[found.stage].format(rank=found.rank, **numbers)
