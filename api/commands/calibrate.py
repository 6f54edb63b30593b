"""`sourcebook calibrate`: scores that fit a vector store's own files and questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.commands.text import TEXT
from api.printing import errors_shown, print_json

if TYPE_CHECKING:
    from api.engine import Engine
    from api.evaluate.fitting import Fitted


@click.command()
@click.argument("judged", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--store", required=True, type=TEXT, help="Id or name of the vector store.")
@click.option("--split", help="Of sets in BEIR layout, such as dev.")
@click.option("--reset", is_flag=True, help="Go back to the scores as they are built in.")
@click.option("--dry-run", is_flag=True, help="Print what it would do, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def calibrate(
    data: Path | None,
    *,
    judged: Path | None,
    store: str,
    split: str | None,
    reset: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Fit a vector store's scores to judged questions, some fifty of them.

    JUDGED is a file of judgments or a judged set, as `sourcebook eval` takes them. Afterwards a
    score says how often a hit like this one is relevant in this vector store. Rankings stay.
    """
    from api.engine import Engine  # noqa: PLC0415

    if (judged is None) != reset:
        raise click.UsageError("Give either JUDGED or --reset.")
    with errors_shown(), Engine.open(data) as engine:
        if judged is None:
            engine.uncalibrate(store)
            click.echo("Scores are as built in.")
            return
        fitted = _fitted(engine, store, judged, split=split, dry_run=dry_run)
    print_json(fitted.as_dict()) if as_json else click.echo(fitted.summary())


def _fitted(
    engine: Engine, store: str, judged: Path, *, split: str | None, dry_run: bool
) -> Fitted:
    from api.evaluate.fitting import fit  # noqa: PLC0415
    from api.evaluate.readers import read_set  # noqa: PLC0415

    return fit(engine, store, read_set(judged, split=split), keep=not dry_run)
