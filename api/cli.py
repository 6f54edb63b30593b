"""The command door. Nothing heavy is imported until a command needs it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import click

if TYPE_CHECKING:
    from api.answer.types import Answer
    from api.engine import Engine
    from api.folders import IndexReport
    from retrieval.types import Hit

_store_option = click.option("--store", required=True, help="Id or name of the vector store.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_filter_option = click.option(
    "--filter", "filters", metavar="JSON", help='Such as {"type":"eq","key":"year","value":2024}.'
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
@click.option("--port", type=int, help="Port.  [env: SOURCEBOOK_PORT; default: 8377]")
@click.pass_obj
def serve(data: Path | None, host: str | None, port: int | None) -> None:
    """Serve the API and the web page, and index what is uploaded."""
    from api.serve import run  # noqa: PLC0415
    from api.settings import Settings  # noqa: PLC0415

    with _errors_shown():
        run(Settings.load(data=data, host=host, port=port))


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--store", required=True, help="Id or name; a missing name is created.")
@click.option("--attr", "attrs", multiple=True, metavar="K=V", help="Attribute of every file.")
@click.option("--glob", metavar="G", help="Only files whose path or name matches, such as *.pdf.")
@click.option(
    "--exclude", multiple=True, metavar="P", help="Leave out; patterns as in .gitignore."
)
@click.option(
    "--delete-missing",
    is_flag=True,
    help="Take out files indexed earlier that are no longer under PATHS.",
)
@click.option(
    "--manifest",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help='JSON lines {"path": …, "attributes": {…}}; paths relative to that file.',
)
@_json_option
@click.pass_obj
def index(
    data: Path | None,
    *,
    paths: Sequence[Path],
    store: str,
    attrs: Sequence[str],
    glob: str | None,
    exclude: tuple[str, ...],
    delete_missing: bool,
    manifest: Path | None,
    as_json: bool,
) -> None:
    """Index files and folders; what is unchanged is skipped.

    Exit code 1 means that some files could not be indexed; the others were.
    """
    with _errors_shown(), _engine(data) as engine:
        from api.folders import Selection, read_manifest  # noqa: PLC0415

        selection = Selection(
            attributes=_attributes(attrs),
            manifest=read_manifest(manifest) if manifest else {},
            glob=glob,
            exclude=exclude,
            delete_missing=delete_missing,
        )
        with progress_bar(show=not as_json) as on_progress:
            report = engine.add(paths, store=store, selection=selection, on_progress=on_progress)
    _print_json(report.as_dict()) if as_json else print_report(report)
    if report.failures:
        sys.exit(1)


@main.command()
@click.argument("query")
@_store_option
@_filter_option
@click.option("-k", "limit", default=10, show_default=True, help="How many hits, 1 to 50.")
@click.option("--min-score", default=0.0, show_default=True, help="Drop hits below, 0 to 1.")
@_json_option
@click.pass_obj
def search(
    data: Path | None,
    *,
    query: str,
    store: str,
    filters: str | None,
    limit: int,
    min_score: float,
    as_json: bool,
) -> None:
    """Search a vector store."""
    with _errors_shown(), _engine(data) as engine:
        result = engine.find(
            query, store=store, filters=_json_value(filters), limit=limit, min_score=min_score
        )
    if as_json:
        _print_json({"queries": result.queries, "hits": [_hit(hit) for hit in result.hits]})
        return
    for rank, hit in enumerate(result.hits, start=1):
        print_hit(rank, hit, query=query)
    if not result.hits:
        click.echo("Nothing found.")


@main.command()
@click.argument("question")
@_store_option
@_filter_option
@_json_option
@click.pass_obj
def ask(
    data: Path | None, *, question: str, store: str, filters: str | None, as_json: bool
) -> None:
    """Answer a question from the files, with citations."""
    with _errors_shown(), _engine(data) as engine:
        answer = engine.ask(question, store=store, filters=_json_value(filters))
    _print_json(_answer(answer)) if as_json else print_answer(answer)


@main.command()
@_json_option
@click.pass_obj
def stores(data: Path | None, *, as_json: bool) -> None:
    """List the vector stores."""
    with _errors_shown(), _engine(data) as engine:
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
    _print_json(rows) if as_json else _print_table(rows)


@main.command()
@_store_option
@_json_option
@click.pass_obj
def files(data: Path | None, *, store: str, as_json: bool) -> None:
    """List the files of a vector store."""
    with _errors_shown(), _engine(data) as engine:
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
    _print_json(rows) if as_json else _print_table(rows)


# --- opening and failing ----------------------------------------------------------------------


@contextlib.contextmanager
def _engine(data: Path | None) -> Iterator[Engine]:
    from api.engine import Engine  # noqa: PLC0415

    with Engine.open(data) as engine:
        yield engine


@contextlib.contextmanager
def _errors_shown() -> Iterator[None]:
    """Print what a user can act on as one line; anything else keeps its traceback."""
    from retrieval.errors import FileSearchError  # noqa: PLC0415

    try:
        yield
    except FileSearchError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("Stopped. Nothing is lost: what was queued is indexed by the next run.", code=130)


def _fail(message: str, *, code: int = 2) -> Never:
    click.echo(f"sourcebook: {message}", err=True)
    sys.exit(code)


# --- reading arguments ------------------------------------------------------------------------


def _attributes(pairs: Sequence[str]) -> dict[str, Any]:
    """`k=v` pairs; a value that is a JSON number or boolean becomes one.

    >>> _attributes(["year=2024", "draft=true", "team=ops"])
    {'year': 2024, 'draft': True, 'team': 'ops'}
    """
    attributes: dict[str, Any] = {}
    for pair in pairs:
        key, equals, raw = pair.partition("=")
        if not equals or not key:
            _fail(f"--attr {pair!r}: expected key=value.")
        attributes[key] = _scalar(raw)
    return attributes


def _scalar(raw: str) -> str | int | float | bool:
    try:
        value = json.loads(raw, parse_constant=lambda _: raw)
    except ValueError:
        return raw
    return value if isinstance(value, int | float) else raw


def _json_value(raw: str | None) -> Any:
    if raw is None:
        return None
    try:
        return json.loads(raw)
    except ValueError as error:
        _fail(f"--filter is not JSON: {error}.")


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


# --- printing ---------------------------------------------------------------------------------


@contextlib.contextmanager
def progress_bar(*, show: bool) -> Iterator[Any]:
    """A bar with rate and time left on stderr; nothing where stderr is no terminal."""
    if not show:
        yield None
        return
    from tqdm import tqdm  # noqa: PLC0415

    with tqdm(unit="file", disable=None, leave=False, desc="indexing") as bar:

        def on_progress(n_done: int, n_files: int) -> None:
            bar.total = n_files
            bar.update(max(0, n_done - bar.n))

        yield on_progress


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        click.echo("None.")
        return
    cells = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def print_report(report: IndexReport) -> None:
    """One line of totals on stdout, one line a failure on stderr."""
    click.echo(
        f"{report.store_name or report.store_id}: {report.n_added} added,"
        f" {report.n_replaced} replaced, {report.n_updated} updated,"
        f" {report.n_unchanged} unchanged, {report.n_deleted} deleted,"
        f" {len(report.failures)} failed;"
        f" {report.n_chunks} chunks in {report.seconds:.1f} s"
    )
    for failure in report.failures:
        click.echo(f"  {failure.path}: {failure.message or failure.code}", err=True)


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.id,
        "file_id": hit.file_id,
        "filename": hit.filename,
        "score": hit.score,
        "attributes": dict(hit.attributes),
        "place": hit.place.as_dict(),
        "heading_path": hit.heading_path,
        "start_char": hit.start_char,
        "end_char": hit.end_char,
        "text": hit.text,
        "explanation": _explanation(hit),
    }


def _explanation(hit: Hit) -> dict[str, Any]:
    import dataclasses  # noqa: PLC0415

    return dataclasses.asdict(hit.explanation)


def print_hit(rank: int, hit: Hit, *, query: str) -> None:
    """A hit in two lines: where it is, and what it says about the query."""
    from api.snippet import snippet  # noqa: PLC0415

    where = _where(hit.place.as_dict())
    heading = " > ".join(hit.heading_path)
    title = "  ".join(part for part in (hit.filename, where, heading) if part)
    click.echo(f"{rank}. {click.style(title, bold=True)}  [{hit.score:.2f}]")
    click.echo(f"   {snippet(hit.text, query)}")


def _where(place: Mapping[str, Any]) -> str:
    """A place in words, such as `page 3-4` or `sheet Costs, row 12`.

    >>> _where({"sheet": "Costs", "first_row": 12, "last_row": 12})
    'sheet Costs, row 12'
    """
    parts = [f"sheet {place['sheet']}"] if "sheet" in place else []
    for unit in ("page", "slide", "row", "line"):
        first, last = place.get(f"first_{unit}"), place.get(f"last_{unit}")
        if first is not None:
            parts.append(f"{unit} {first}" if first == last else f"{unit}s {first}-{last}")
    return ", ".join(parts)


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "text": answer.text,
        "citations": [
            {
                "file_id": citation.file_id,
                "filename": citation.filename,
                "quote": citation.quote,
                "place": citation.place.as_dict(),
                "start_char": citation.start_char,
                "end_char": citation.end_char,
                "hit_id": citation.hit_id,
                "score": citation.score,
            }
            for citation in answer.citations
        ],
    }


def print_answer(answer: Answer) -> None:
    """The answer, then each citation with its place and quote."""
    click.echo(answer.text)
    for number, citation in enumerate(answer.citations, start=1):
        where = _where(citation.place.as_dict())
        source = ", ".join(part for part in (citation.filename, where) if part)
        click.echo(f"\n[{number}] {click.style(source, bold=True)}")
        click.echo(f"    “{' '.join(citation.quote.split())}”")
