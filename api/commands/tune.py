"""`sourcebook tune`: how searches should look through vectors on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.printing import errors_shown, print_json, print_table

if TYPE_CHECKING:
    from retrieval.crossover import Timing


@click.command()
@click.option(
    "--dim",
    type=click.IntRange(min=8),
    default=384,
    show_default=True,
    help="Length of the vectors to measure with.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def tune(data: Path | None, *, dim: int, as_json: bool) -> None:
    """Measure for up to a minute how vectors are searched fastest here, and keep the result.

    Servers and commands that are started after it search accordingly; results stay the same.
    """
    from api.settings import Settings  # noqa: PLC0415
    from retrieval import crossover, tuning  # noqa: PLC0415

    with errors_shown():
        folder = Settings.load(data=data).data
        folder.mkdir(parents=True, exist_ok=True)
        found = crossover.measure(dim=dim)
        tuning.save(found.tuning, folder)
    if as_json:
        print_json(asdict(found))
        return
    click.echo("Allowed windows, by their rows or by codes under the mask (ms):")
    print_table(_rows(found.gather))
    click.echo("All windows of a segment, by their rows or by codes (ms):")
    print_table(_rows(found.segments))
    click.echo(
        f"Up to {found.tuning.gather_windows} allowed windows are read by their rows; segments "
        f"from {found.tuning.coded_windows} windows on get codes."
    )


def _rows(timings: Sequence[Timing]) -> list[dict[str, object]]:
    return [
        {
            "windows": each.n_windows,
            "rows": round(each.by_rows_ms, 3),
            "codes": round(each.by_codes_ms, 3),
        }
        for each in timings
    ]
