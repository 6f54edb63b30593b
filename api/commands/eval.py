"""`sourcebook eval`: how good the ranking is, and whether a change made it better."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from api.printing import errors_shown, fail, print_json

_EXISTING = click.Path(path_type=Path, exists=True)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("eval")
@click.argument("datasets", nargs=-1, type=_EXISTING)
@click.option("--split", help="Of sets in BEIR layout, such as dev.  [default: the test split]")
@click.option("--store", help="Ask this vector store instead of indexing the set's documents.")
@click.option("--known-items", type=int, metavar="N", help="Make N questions from --store.")
@click.option("--seed", default=0, show_default=True, help="Of the questions made.")
@click.option("--first", type=int, metavar="N", help="Ask only the first N questions of a set.")
@click.option(
    "--ranking",
    "rankings",
    multiple=True,
    default=["auto"],
    show_default=True,
    help="auto, none, rewrite, bm25, dense, rrf or default-2024-11-15; of several, each is"
    " compared with the first.",
)
@click.option("--depth", default=10, show_default=True, help="Hits asked for, 1 to 50.")
@click.option("--chunk-tokens", default=800, show_default=True, help="Size of chunks.")
@click.option("--overlap-tokens", default=400, show_default=True, help="What chunks share.")
@click.option("--url", help="Ask this server, such as http://127.0.0.1:8377/v1.")
@click.option("--api-key", envvar="OPENAI_API_KEY", help="Its key.  [env: OPENAI_API_KEY]")
@click.option("--keep", type=_FOLDER, help="Where indexed sets stay.  [default: in the cache]")
@click.option("--fresh", is_flag=True, help="Index sets anew.")
@click.option("--out", type=_FOLDER, help="Write eval.json and eval.md here.")
@click.option("--plots", is_flag=True, help="Write pictures there as well (SVG).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--baseline", type=_FILE, help="Compare with an eval.json of before.")
@click.option("--compare", nargs=2, type=_FILE, help="Compare two eval.json; asks nothing.")
@click.option("--measure", default="nDCG@10", show_default=True, help="What is compared.")
@click.option("--fail-under", multiple=True, metavar="M=X", help="Exit 1 if the mean is lower.")
@click.option("--fail-on-drop", is_flag=True, help="Exit 1 if a comparison is really worse.")
@click.pass_obj
def evaluate(data: Path | None, /, **options: Any) -> None:
    """Measure ranking on judged questions.

    DATASET is a folder in BEIR layout, one of passages (questions.jsonl with corpora/), or one
    with judgments.jsonl; see docs/EVALUATION.md. Exit code 1 means that a bar was missed.
    """
    from api.evaluate.plan import Choices, outcome  # noqa: PLC0415

    with errors_shown():
        bars = dict(_bar(text) for text in options.pop("fail_under"))
        as_json, fails = options.pop("as_json"), options.pop("fail_on_drop")
        choices = Choices(data=data, **options)
        with _progress() as progress:
            found = outcome(choices, progress)
        print_json(found.as_dict()) if as_json else click.echo(found.markdown())
        misses = [*found.misses(bars), *(found.drops() if fails else ())]
    for miss in misses:
        click.echo(f"sourcebook: {miss}", err=True)
    if misses:
        sys.exit(1)


def _bar(text: str) -> tuple[str, float]:
    """A measure and the least its mean may be.

    >>> _bar("nDCG@10=0.36")
    ('nDCG@10', 0.36)
    """
    name, _, number = text.rpartition("=")
    try:
        return name, float(number)
    except ValueError:
        fail(f"--fail-under {text!r}: expected such as nDCG@10=0.36.")


@contextmanager
def _progress() -> Iterator[Any]:
    """A bar on stderr while documents are indexed or questions asked; none without a terminal."""
    from tqdm import tqdm  # noqa: PLC0415

    with tqdm(disable=None, leave=False) as bar:
        shown = ""

        def progress(what: str, done: int, total: int) -> None:
            nonlocal shown
            if shown != what:
                shown = what
                bar.reset(total)
                bar.set_description(what)
            bar.update(max(0, done - bar.n))

        yield progress
