"""`sourcebook verify`: which sentences of a text its sources bear out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.commands.text import TEXT
from api.printing import errors_shown, print_json

if TYPE_CHECKING:
    from api.answer.check import Checked, CheckedSentence, Source
    from api.engine import Engine

_READABLE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@click.command()
@click.argument("text", type=TEXT, required=False)
@click.option("--text-file", type=_READABLE, help="Read the text from a file; - is the input.")
@click.option("--source", "files", multiple=True, type=_READABLE, help="A file of plain text.")
@click.option("--store", type=TEXT, help="Id or name of a vector store whose files are sources.")
@click.option("--file", "names", multiple=True, type=TEXT, help="Only this file of the store.")
@click.option("--min-support", type=click.FloatRange(0.0, 1.0), help="Bar, 0 to 1; default 0.5.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def verify(
    data: Path | None,
    *,
    text: str | None,
    text_file: Path | None,
    files: tuple[Path, ...],
    store: str | None,
    names: tuple[str, ...],
    min_support: float | None,
    as_json: bool,
) -> None:
    """Check TEXT against sources, sentence by sentence; exits with 1 if one is not borne out."""
    from api.engine import Engine  # noqa: PLC0415
    from retrieval.verify import MIN_SUPPORT  # noqa: PLC0415

    bar = MIN_SUPPORT if min_support is None else min_support
    with errors_shown(), Engine.open(data) as engine:
        sources = [*_from_files(files), *_from_store(engine, store, names)]
        checked = engine.verify(_given(text, text_file), sources, min_support=bar)
    if as_json:
        _print_json(checked, sources, bar)
    else:
        for sentence in checked.sentences:
            _print(sentence, sources)
    if not checked.supported:
        raise click.exceptions.Exit(1)


def _given(text: str | None, text_file: Path | None) -> str:
    if (text is None) == (text_file is None):
        raise click.UsageError("Give either TEXT or --text-file.")
    return text if text is not None else _read(text_file or Path("-"))


def _read(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.read()
    return path.read_text("utf-8", errors="replace")


def _from_files(files: tuple[Path, ...]) -> list[Source]:
    from api.answer.check import Source  # noqa: PLC0415

    return [Source(_read(path), path.name) for path in files]


def _from_store(engine: Engine, store: str | None, names: tuple[str, ...]) -> list[Source]:
    from api.answer.check import MAX_SOURCES, file_source  # noqa: PLC0415
    from retrieval.types import PageRequest  # noqa: PLC0415

    if store is None:
        return []
    store_id = engine.resolve_store(store).id
    attached = engine.attachments(store_id, PageRequest(limit=MAX_SOURCES)).items
    chosen = [
        each
        for each in attached
        if each.status == "completed" and (not names or {each.filename, each.file_id} & {*names})
    ]
    return [file_source(engine, store_id, each.file_id) for each in chosen]


def _print_json(checked: Checked, sources: list[Source], bar: float) -> None:
    from api.wire.verify import verification_body  # noqa: PLC0415

    print_json(verification_body(checked, sources, min_support=bar))


def _print(sentence: CheckedSentence, sources: list[Source]) -> None:
    if sentence.score is None:
        click.echo(click.style("  --  ", dim=True) + sentence.text)
        return
    color = "green" if sentence.supported else "red"
    click.echo(click.style(f"{sentence.score:.2f}  ", fg=color) + sentence.text)
    found = [f"{each.kind}: {each.text}".rstrip(": ") for each in sentence.findings]
    if found:
        click.echo("      " + "; ".join(found))
    if sentence.source is not None and sentence.quote:
        where = sources[sentence.source].name or f"source {sentence.source + 1}"
        quote = " ".join(sentence.quote.split())
        click.echo(click.style(f"      {where}: {quote}", dim=True))
