"""What `make demo` shows: the sample corpus indexed, searched, filtered and asked."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from api.batch.manifest import read_manifest
from api.batch.types import Selection
from api.engine import Engine
from api.printing import print_answer, print_hit, print_report
from api.progress import progress_shown

_STORE = "sample-corpus"
_SEARCHES: tuple[tuple[str, Mapping[str, Any] | None], ...] = (
    ("How far ahead of GPS is international atomic time?", None),
    ("which radio stations broadcast the time in Europe", None),
    ("leap seconds", {"type": "eq", "key": "primary_source", "value": True}),
)
_QUESTION = "Why does a satellite clock gain time compared with one on the ground?"


def main() -> None:
    """Index the sample corpus into a data folder and show every door to it."""
    corpus = Path(sys.argv[1] if len(sys.argv) > 1 else "sample_corpus")
    with Engine.open() as engine:
        click.secho(f"Indexing {corpus}/files into {engine.settings.data} …", bold=True)
        selection = Selection(manifest=read_manifest(corpus / "manifest.jsonl"))
        with progress_shown(show=True) as on_progress:
            report = engine.add(
                corpus / "files", store=_STORE, selection=selection, on_progress=on_progress
            )
        print_report(report)
        for query, filters in _SEARCHES:
            _show_search(engine, query, filters)
        click.secho(f"\nAsk: {_QUESTION}", bold=True)
        print_answer(engine.ask(_QUESTION, store=_STORE))
    _show_next_steps()


def _show_search(engine: Engine, query: str, filters: Mapping[str, Any] | None) -> None:
    condition = f"   filter: {dict(filters)}" if filters else ""
    click.secho(f"\nSearch: {query}{condition}", bold=True)
    for rank, hit in enumerate(engine.find(query, store=_STORE, filters=filters, limit=3).hits, 1):
        print_hit(rank, hit, query=query)


def _show_next_steps() -> None:
    click.secho("\nYour turn:", bold=True)
    click.echo(f"  .venv/bin/sourcebook search 'sundial' --store {_STORE}")
    click.echo("  .venv/bin/sourcebook index PATH --store my-files")
    click.echo("  .venv/bin/sourcebook serve      # OpenAI API and web page on port 8377")


if __name__ == "__main__":
    main()
