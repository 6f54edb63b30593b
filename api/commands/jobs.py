"""`sourcebook jobs`: what is being indexed, what waits, and what was given up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.commands.text import TEXT
from api.printing import as_date, errors_shown, print_json, print_table

if TYPE_CHECKING:
    from api.engine import Engine
    from retrieval.store.attachments import GivenUp
    from retrieval.store.progress import AtWork


@click.command()
@click.option("--store", type=TEXT, help="Id or name; with it, the files that failed as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def jobs(data: Path | None, *, store: str | None, as_json: bool) -> None:
    """Show what is being indexed, how much waits, and what failed."""
    from api.engine import Engine  # noqa: PLC0415

    with errors_shown(), Engine.open(data) as engine:
        found = _found(engine, None if store is None else engine.resolve_store(store).id)
    if as_json:
        print_json(found)
        return
    for title, rows in found.items():
        click.echo(click.style(title.replace("_", " "), bold=True))
        print_table(rows)


def _found(engine: Engine, store_id: str | None) -> dict[str, list[dict[str, Any]]]:
    at_work, waiting = engine.at_work()
    found = {
        "at_work": [
            _at_work(each) for each in at_work if store_id in {None, each.vector_store_id}
        ],
        "waiting": [
            {
                "interactive": waiting.interactive,
                "bulk": waiting.bulk,
                "to_be_retried": waiting.to_be_retried,
            }
        ],
    }
    if store_id is not None:
        found["failed"] = [_failed(each) for each in engine.failed(store_id)]
    return found


def _at_work(job: AtWork) -> dict[str, Any]:
    return {
        "store": job.vector_store_id,
        "file": job.filename,
        "stage": job.progress.stage,
        "done": job.progress.n_done,
        "total": job.progress.n_total,
        "attempts": job.progress.n_attempts,
    }


def _failed(file: GivenUp) -> dict[str, Any]:
    return {
        "id": file.file_id,
        "file": file.path or file.filename,
        "code": file.code,
        "attempts": file.n_attempts,
        "at": as_date(file.failed_at),
        "reason": file.message,
    }
