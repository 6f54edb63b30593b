"""`sourcebook index`: files and folders into a vector store, once or as they change."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.commands.text import TEXT
from api.printing import (
    NOTHING_FOUND,
    SOME_FAILED,
    Terminated,
    errors_shown,
    fail,
    print_change,
    print_json,
    print_report,
)
from api.progress import progress_shown

if TYPE_CHECKING:
    from api.batch.types import Change, IndexReport, Selection
    from api.engine import Engine

# A server's queries go before it; yet somebody looks at it, so other programs must not starve it,
# as they would at the lowest priority.
_NICENESS = 10
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--store", required=True, type=TEXT, help="Id or name; a missing name is created.")
@click.option(
    "--attr", "attrs", multiple=True, type=TEXT, metavar="K=V", help="Attribute of every file."
)
@click.option(
    "--attr-from-path",
    "patterns",
    multiple=True,
    type=TEXT,
    metavar="P",
    help="Attributes from relative paths, such as {team}/{year:int}/**.",
)
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=_FILE,
    help="Attributes by file: .csv, .toml or JSON lines; paths relative to that file.",
)
@click.option(
    "--glob",
    "globs",
    multiple=True,
    metavar="G",
    help="Only files whose path or name matches, such as *.pdf.",
)
@click.option(
    "--exclude", multiple=True, metavar="P", help="Leave out; patterns as in .gitignore."
)
@click.option(
    "--exclude-from",
    "exclude_files",
    multiple=True,
    type=_FILE,
    help="Leave out what the patterns in this file say.",
)
@click.option(
    "--no-ignore", is_flag=True, help="Do not obey .gitignore and .sourcebookignore files."
)
@click.option("--hidden", is_flag=True, help="Take names that begin with a dot, too.")
@click.option("--follow-links", is_flag=True, help="Walk into links to folders, too.")
@click.option(
    "--delete-missing",
    is_flag=True,
    help="Take out files indexed earlier that are no longer under PATHS.",
)
@click.option(
    "--checksum", is_flag=True, help="Read every file, instead of trusting size and mtime."
)
@click.option(
    "--retry-failed", is_flag=True, help="Try unchanged files again that could not be read."
)
@click.option("--watch", is_flag=True, help="Go on, and index what changes, until Ctrl-C.")
@click.option(
    "--poll",
    type=click.FloatRange(min=0.1),
    metavar="S",
    help="With --watch: look every S seconds; for network folders.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON; with --watch one object a line."
)
@click.option("-q", "--quiet", is_flag=True, help="Print failures alone.")
@click.pass_obj
def index(data: Path | None, /, paths: Sequence[Path], *, store: str, **options: Any) -> None:
    """Index files and folders; what is unchanged is skipped.

    A file is unchanged if size and mtime are; one that was touched is read, and indexed
    again only if its bytes differ. Of several sources of an attribute the last counts:
    --attr, --attr-from-path, --manifest.

    \b
    Exit codes:
      0    every file is searchable
      1    some files could not be indexed; the others were
      2    nothing was done or it had to stop: wrong arguments, a full disk
      3    no files were found
      130  stopped by Ctrl-C, 143 by SIGTERM; the next run goes on
           (with --watch these end it as they should: 0, or 1)
    """  # noqa: D301 - click's mark of a block that is not to be wrapped
    signal.signal(signal.SIGTERM, _terminate)
    with errors_shown():
        selection = _selection(options)
        from api.engine import Engine  # noqa: PLC0415 - heavy
        from ingest.os_process import lower_priority  # noqa: PLC0415

        lower_priority(_NICENESS)  # of all that this process does
        with Engine.open(data) as engine:
            engine.bulk_niceness = 0
            run = _watch if options["watch"] else _once
            report = run(engine, paths, store, selection, options)
    _show(report, options)
    sys.exit(exit_code(report))


def exit_code(report: IndexReport) -> int:
    """What a script is told about a run that was carried out."""
    if report.failures:
        return SOME_FAILED
    return 0 if report.n_files else NOTHING_FOUND


def _terminate(*_: object) -> None:
    raise Terminated


def _once(
    engine: Engine, paths: Sequence[Path], store: str, selection: Selection, options: Any
) -> IndexReport:
    with progress_shown(show=_shows_progress(options)) as on_progress:
        return engine.add(paths, store=store, selection=selection, on_progress=on_progress)


def _watch(
    engine: Engine, paths: Sequence[Path], store: str, selection: Selection, options: Any
) -> IndexReport:
    from api.batch.watch import Told, watch_paths  # noqa: PLC0415

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with contextlib.ExitStack() as bar:
        on_progress = bar.enter_context(progress_shown(show=_shows_progress(options)))

        def on_ready(report: IndexReport) -> None:
            bar.close()
            _show(report, options)
            click.echo("Watching for changes; Ctrl-C ends it.", err=True)

        told = Told(on_ready, _change_shown(options), on_progress)
        return watch_paths(
            engine,
            paths,
            store=store,
            selection=selection,
            told=told,
            poll_s=options["poll"],
            stop=stop,
        )


def _shows_progress(options: Any) -> bool:
    return not options["as_json"] and not options["quiet"]


def _change_shown(options: Any) -> Any:
    def show(change: Change) -> None:
        if change.kind == "unchanged" or (options["quiet"] and change.kind != "failed"):
            return
        if options["as_json"]:
            fields = ("kind", "path", "n_chunks", "message")
            click.echo(json.dumps({name: getattr(change, name) for name in fields}))
        else:
            print_change(change)
        sys.stdout.flush()

    return show


def _show(report: IndexReport, options: Any) -> None:
    if options["as_json"] and options["watch"]:
        click.echo(json.dumps(report.as_dict()))
    elif options["as_json"]:
        print_json(report.as_dict())
    else:
        print_report(report, quiet=options["quiet"])


def _selection(options: Any) -> Selection:
    from api.batch.manifest import read_manifest  # noqa: PLC0415
    from api.batch.path_patterns import parse_pattern  # noqa: PLC0415
    from api.batch.types import Selection  # noqa: PLC0415

    manifest: dict[Path, Any] = {}
    for path in options["manifests"]:
        manifest |= read_manifest(path)
    from_files = [line for path in options["exclude_files"] for line in _lines(path)]
    return Selection(
        attributes=_attributes(options["attrs"]),
        from_path=tuple(map(parse_pattern, options["patterns"])),
        manifest=manifest,
        globs=options["globs"],
        exclude=(*from_files, *options["exclude"]),
        ignore_files=not options["no_ignore"],
        hidden=options["hidden"],
        follow_links=options["follow_links"],
        checksum=options["checksum"],
        retry_failed=options["retry_failed"],
        delete_missing=options["delete_missing"],
    )


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", errors="surrogateescape").splitlines()


def _attributes(pairs: Sequence[str]) -> dict[str, Any]:
    from api.batch.scalars import guess  # noqa: PLC0415

    attributes: dict[str, Any] = {}
    for pair in pairs:
        key, equals, raw = pair.partition("=")
        if not equals or not key:
            fail(f"--attr {pair!r}: expected key=value.")
        attributes[key] = guess(raw)
    return attributes
