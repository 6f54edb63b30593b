"""`sourcebook retry`: what could not be indexed is tried again."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.commands.text import TEXT
from api.printing import SOME_FAILED, errors_shown, print_json, printable

if TYPE_CHECKING:
    from api.engine import Engine
    from retrieval.store.attachments import GivenUp

_CODES = ("server_error", "unsupported_file", "invalid_file")
_POLL_S = 0.1


@click.command()
@click.option("--store", required=True, type=TEXT, help="Id or name of the vector store.")
@click.option("--file", "file_id", type=TEXT, metavar="ID", help="Only this file.")
@click.option("--code", type=click.Choice(_CODES), help="Only what failed with this code.")
@click.option(
    "--no-wait", is_flag=True, help="Only queue them: a server, or the next run, indexes them."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def retry(
    data: Path | None,
    *,
    store: str,
    file_id: str | None,
    code: str | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Try again to index the files of a vector store that failed.

    Exit code 1 means that some of them failed again; `sourcebook jobs` says why.
    """
    from api.engine import Engine  # noqa: PLC0415

    with errors_shown(), Engine.open(data) as engine:
        store_id = engine.resolve_store(store).id
        chosen = {each.file_id for each in engine.failed(store_id, file_id=file_id, code=code)}
        n_queued = engine.retry(store_id, file_id=file_id, code=code)
        failed = [] if no_wait else _ended(engine, store_id, chosen)
    if as_json:
        again = [{"file_id": each.file_id, "message": each.message} for each in failed]
        print_json({"queued": n_queued, "failed": again})
    else:
        click.echo(f"{n_queued} queued again" + ("." if no_wait else f", {len(failed)} failed."))
        for each in failed:
            click.echo(f"  {printable(each.path or each.filename)}: {each.message}", err=True)
    if failed:
        sys.exit(SOME_FAILED)


def _ended(engine: Engine, store_id: str, file_ids: set[str]) -> list[GivenUp]:
    """Index until none of the files is in progress; those that failed again."""
    from retrieval.errors import StoreUnwritable  # noqa: PLC0415

    engine.start_worker()
    left = sorted(file_ids)
    while left:
        time.sleep(_POLL_S)
        found = engine.progress(store_id, left)
        left = [id for id in left if id in found and found[id].priority is not None]
        if isinstance(hindrance := engine.hindered_by(), StoreUnwritable):
            raise hindrance
    engine.refresh_indexes([store_id])
    return [each for each in engine.failed(store_id) if each.file_id in file_ids]
