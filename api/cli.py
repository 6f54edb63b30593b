"""The command door. Nothing heavy is imported until a command needs it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.commands.calibrate import calibrate
from api.commands.eval import evaluate
from api.commands.index import index
from api.commands.jobs import jobs
from api.commands.reembed import reembed
from api.commands.retry import retry
from api.commands.search import search
from api.commands.text import TEXT
from api.commands.tune import tune
from api.commands.verify import verify
from api.printing import (
    answer_as_dict,
    as_date,
    errors_shown,
    fail,
    print_answer,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from api.engine import Engine

_store_option = click.option(
    "--store", required=True, type=TEXT, help="Id or name of the vector store."
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_boxes_option = click.option(
    "--boxes", is_flag=True, help="With --json: where to draw it on the pages of PDFs and scans."
)
_filter_option = click.option(
    "--filter",
    "filters",
    type=TEXT,
    metavar="JSON",
    help='Such as {"type":"eq","key":"year","value":2024}.',
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder.  [env: SOURCEBOOK_DATA; default: ./sourcebook-data]",
)
@click.version_option(package_name="sourcebook")
@click.pass_context
def main(context: click.Context, data: Path | None) -> None:
    """File search on your own machine, with citations that can be checked."""
    context.obj = data


@main.command()
@click.option("--host", help="Address.  [env: SOURCEBOOK_HOST; default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port.  [env: SOURCEBOOK_PORT; default: 8377]"
)
@click.option(
    "--open",
    "is_open",
    is_flag=True,
    help="Without an API key, listen beyond this machine all the same.  [env: SOURCEBOOK_OPEN]",
)
@click.pass_obj
def serve(data: Path | None, *, host: str | None, port: int | None, is_open: bool) -> None:
    """Serve the API and the web page, and index what is uploaded."""
    from api.serve import run  # noqa: PLC0415
    from api.settings import Settings  # noqa: PLC0415

    with errors_shown():
        run(Settings.load(data=data, host=host, port=port, open=is_open or None))


main.add_command(index)


main.add_command(search)


@main.command()
@click.argument("question", type=TEXT)
@_store_option
@_filter_option
@_json_option
@_boxes_option
@click.pass_obj
def ask(
    data: Path | None,
    *,
    question: str,
    store: str,
    filters: str | None,
    as_json: bool,
    boxes: bool,
) -> None:
    """Answer a question from the files, with citations."""
    with errors_shown(), _engine(data) as engine:
        answer = engine.ask(
            question, store=store, filters=_json_value(filters), boxes=boxes and as_json
        )
    print_json(answer_as_dict(answer)) if as_json else print_answer(answer)


@main.command()
@_json_option
@click.pass_obj
def stores(data: Path | None, *, as_json: bool) -> None:
    """List the vector stores."""
    with errors_shown(), _engine(data) as engine:
        rows = [
            {
                "id": store.id,
                "name": store.name,
                "files": store.counts.completed,
                "in_progress": store.counts.in_progress,
                "failed": store.counts.failed,
                "bytes": store.usage_bytes,
            }
            for store in _all(engine.vector_stores)
        ]
    print_json(rows) if as_json else print_table(rows)


@main.command()
@_store_option
@_json_option
@click.pass_obj
def files(data: Path | None, *, store: str, as_json: bool) -> None:
    """List the files of a vector store."""
    with errors_shown(), _engine(data) as engine:
        store_id = engine.resolve_store(store).id
        rows = [
            {
                "id": each.file_id,
                "filename": each.filename,
                "status": each.status,
                "chunks": each.n_chunks,
                "attributes": dict(each.attributes),
                "error": each.error_message,
            }
            for each in _all(lambda page: engine.attachments(store_id, page))
        ]
    print_json(rows) if as_json else print_table(rows)


@main.group()
def keys() -> None:
    """Make, list and revoke API keys; a server demands them from the first one on."""


@keys.command()
@click.option("--name", required=True, type=TEXT, help="What it is for.")
@click.pass_obj
def create(data: Path | None, name: str) -> None:
    """Make a key and print it, this once."""
    with errors_shown(), _engine(data) as engine:
        key, sent = engine.create_key(name)
    click.echo(sent)
    click.echo(f"{key.id} '{name}': keep this key now, it cannot be shown again.", err=True)


@keys.command("list")
@_json_option
@click.pass_obj
def list_keys(data: Path | None, *, as_json: bool) -> None:
    """List all keys, revoked ones too."""
    with errors_shown(), _engine(data) as engine:
        rows = [
            {
                "id": key.id,
                "name": key.name,
                "created": as_date(key.created_at),
                "revoked": as_date(key.revoked_at),
            }
            for key in engine.api_keys()
        ]
    print_json(rows) if as_json else print_table(rows)


@keys.command()
@click.argument("key_id", type=TEXT, metavar="ID")
@click.pass_obj
def revoke(data: Path | None, key_id: str) -> None:
    """End a key; running servers refuse it from now on."""
    with errors_shown(), _engine(data) as engine:
        key = engine.revoke_key(key_id)
    click.echo(f"{key.id} '{key.name}' is revoked.")


# --- opening ----------------------------------------------------------------------------------


@contextlib.contextmanager
def _engine(data: Path | None) -> Iterator[Engine]:
    from api.engine import Engine  # noqa: PLC0415

    with Engine.open(data) as engine:
        yield engine


# --- reading arguments ------------------------------------------------------------------------


def _json_value(raw: str | None) -> Any:
    if raw is None:
        return None
    try:
        return json.loads(raw)
    except ValueError as error:
        fail(f"--filter is not JSON: {error}.")


def _all(list_page: Any) -> Iterator[Any]:
    """Every item of a paged list, oldest first."""
    from retrieval.types import PageRequest  # noqa: PLC0415

    after: str | None = None
    while True:
        page = list_page(PageRequest(limit=100, order="asc", after=after))
        yield from page.items
        if not page.has_more:
            return
        last = page.items[-1]
        after = last.file_id if hasattr(last, "file_id") else last.id


main.add_command(calibrate)
main.add_command(evaluate)
main.add_command(jobs)
main.add_command(retry)
main.add_command(reembed)
main.add_command(tune)
main.add_command(verify)
