"""`sourcebook reembed`: a vector store gets another embedding model while it goes on serving."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.commands.text import TEXT
from api.printing import errors_shown, print_json
from api.settings import PREFIX

if TYPE_CHECKING:
    from ingest.reembed import Reembedded

_LINE_S = 5.0


@click.command()
@click.option("--store", required=True, type=TEXT, help="Id or name of the vector store.")
@click.option(
    "--model",
    type=TEXT,
    help="Name of the new model; by default the one of new vector stores, as"
    " SOURCEBOOK_EMBEDDER or SOURCEBOOK_EMBEDDINGS_MODEL says.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def reembed(data: Path | None, *, store: str, model: str | None, as_json: bool) -> None:
    """Give a vector store another embedding model.

    The new vectors are made beside the old ones, which go on answering searches; one switch at the
    end puts them in their place. Stopped or killed before that, it goes on where it was when it
    is called again.
    """
    from api.engine import Engine  # noqa: PLC0415

    began = time.monotonic()
    with errors_shown(), Engine.open(data) as engine:
        with _progress_shown(show=not as_json) as on_progress:
            done = engine.reembed(store, model=model, on_progress=on_progress)
        is_own = done.new_model == engine.embedder.id
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        print_json({**_as_dict(done), "seconds": seconds})
    else:
        _print(done, seconds=seconds, is_own=is_own)


def _as_dict(done: Reembedded) -> dict[str, str | int]:
    return {
        "old_model": done.old_model,
        "new_model": done.new_model,
        "files": done.n_files,
        "windows": done.n_windows,
    }


def _print(done: Reembedded, *, seconds: float, is_own: bool) -> None:
    if done.old_model == done.new_model:
        click.echo(f"It has the model {done.new_model} already.")
        return
    click.echo(
        f"{done.old_model} → {done.new_model}: {done.n_files} files, {done.n_windows} windows"
        f" in {seconds:g} s."
    )
    if not is_own:
        name = done.new_model.rpartition("@")[0]
        click.echo(
            f"To search it, set {PREFIX}EMBEDDER={name}, or {PREFIX}ALSO_EMBEDDERS={name} beside"
            " the model of new vector stores; a running server needs a restart for that.",
            err=True,
        )


@contextlib.contextmanager
def _progress_shown(*, show: bool) -> Iterator[Callable[[int, int], None] | None]:
    """What to call with files that are ready, and all; stderr shows it."""
    if not show:
        yield None
        return
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from tqdm import tqdm  # noqa: PLC0415

    with tqdm(unit=" files", leave=False, dynamic_ncols=True) as bar:

        def on_progress(n_ready: int, n_all: int) -> None:
            bar.total, bar.n = n_all, n_ready
            bar.refresh()

        yield on_progress


class _Lines:
    def __init__(self) -> None:
        self._next = time.monotonic() + _LINE_S

    def __call__(self, n_ready: int, n_all: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_S
            click.echo(f"{n_ready} of {n_all} files", err=True)
