"""What the command line prints: results as tables or JSON, errors as one line."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Never

import click

if TYPE_CHECKING:
    from api.answer.types import Answer
    from api.batch.types import Change, IndexReport
    from retrieval.queries import Citation, Hit


_KILO = 1000
_FEW_FAILURES, _MOST_FAILURES = 10, 100
# What was left out for reasons that a user may not expect, in words.
_WORTH_SAYING = {
    "ignored": "by ignore files (--no-ignore takes them)",
    "empty": "empty",
    "special": "pipes, sockets or devices",
    "broken_link": "links that lead nowhere",
    "link_to_folder": "links to folders (--follow-links walks them)",
    "link_loop": "links that lead back",
}

# Exit codes; 130 and 143 are what shells report of programs that these signals ended.
SOME_FAILED, NOT_RUN, NOTHING_FOUND, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the same as Ctrl-C, but for the exit code."""


@contextlib.contextmanager
def errors_shown() -> Iterator[None]:
    """Print what a user can act on as one line; anything else keeps its traceback."""
    from retrieval.errors import FileSearchError  # noqa: PLC0415

    try:
        yield
    except (FileSearchError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt as stop:
        code = TERMINATED if isinstance(stop, Terminated) else INTERRUPTED
        fail("Stopped. Nothing is lost: what was queued is indexed by the next run.", code=code)


def fail(message: str, *, code: int = NOT_RUN) -> Never:
    """End the process with one line on stderr."""
    click.echo(f"sourcebook: {message}", err=True)
    sys.exit(code)


def as_bytes(n_bytes: float) -> str:
    """A size as people read it.

    >>> as_bytes(999), as_bytes(12_345_678)
    ('999 B', '12.3 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < _KILO or unit == "GB":
            break
        n_bytes /= _KILO
    return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"


def as_clock(seconds: float) -> str:
    """A span of time as minutes and seconds, with hours where there are any.

    >>> as_clock(65), as_clock(3725)
    ('1:05', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def print_json(value: Any) -> None:
    """For programs that read it."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """A line a row, under the names of the first row's keys."""
    if not rows:
        click.echo("None.")
        return
    cells = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def as_date(at: int | None) -> str | None:
    """Unix seconds as a date and time in UTC.

    >>> as_date(0)
    '1970-01-01T00:00:00Z'
    """
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    return printable(text)


def printable(text: str) -> str:
    r"""Names come from anywhere; what would move the terminal's cursor is spelt out.

    >>> printable("a\nb.txt")
    'a\\nb.txt'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def print_report(report: IndexReport, *, quiet: bool = False) -> None:
    """Totals on stdout, failures on stderr; `quiet` leaves the failures alone."""
    if not quiet:
        click.echo(_totals(report))
    if len(report.failures) > _FEW_FAILURES:
        for code, message, count in report.reasons[:_FEW_FAILURES]:
            click.echo(f"  {count:,} × {code}: {printable(message)}", err=True)
    for failure in report.failures[:_MOST_FAILURES]:
        click.echo(f"  {printable(failure.path)}: {failure.message or failure.code}", err=True)
    n_more = len(report.failures) - _MOST_FAILURES
    if n_more > 0:
        click.echo(f"  … and {n_more:,} more; --json lists them all.", err=True)


def _totals(report: IndexReport) -> str:
    resumed = f" {report.n_resumed:,} resumed," if report.n_resumed else ""
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.phases.items())
    name = printable(report.store_name or report.store_id)
    files = (
        f"{name}: {report.n_added:,} added,"
        f" {report.n_replaced:,} replaced, {report.n_updated:,} updated,{resumed}"
        f" {report.n_unchanged:,} unchanged, {report.n_deleted:,} deleted,"
        f" {len(report.failures):,} failed"
    )
    work = (
        f"  {report.n_chunks:,} chunks, {report.n_tokens:,} tokens, {as_bytes(report.n_bytes)}"
        f" in {report.seconds:.1f} s ({phases})"
    )
    lines = [files, work]
    shown = {reason: n for reason, n in report.left_out.items() if reason in _WORTH_SAYING}
    if shown:
        each = ", ".join(f"{n:,} {_WORTH_SAYING[reason]}" for reason, n in sorted(shown.items()))
        lines.append(f"  left out: {each}")
    return "\n".join(lines)


def print_change(change: Change) -> None:
    """One line on stdout for what became of one file."""
    about = change.message or (f"{change.n_chunks} chunks" if change.n_chunks else "")
    click.echo(f"{change.kind:<9} {printable(change.path)}" + (f": {about}" if about else ""))


def hit_as_dict(hit: Hit) -> dict[str, Any]:
    """A hit with all that is known of it, for JSON."""
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
        **_boxes(hit),
    }


def _boxes(found: Hit | Citation) -> dict[str, Any]:
    return {} if found.boxes is None else {"boxes": [page.as_dict() for page in found.boxes]}


def _explanation(hit: Hit) -> dict[str, Any]:
    import dataclasses  # noqa: PLC0415

    return dataclasses.asdict(hit.explanation)


def print_hit(rank: int, hit: Hit, *, query: str) -> None:
    """A hit in two lines: where it is, and what it says about the query."""
    from api.snippet import snippet  # noqa: PLC0415

    where = _where(hit.place.as_dict())
    heading = " > ".join(hit.heading_path)
    title = "  ".join(part for part in (printable(hit.filename), where, heading) if part)
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
            label = place.get(f"first_{unit}_label")  # the number printed on it, if another
            shown = f"{first} ({label})" if label else f"{first}"
            parts.append(f"{unit} {shown}" if first == last else f"{unit}s {shown}-{last}")
    return ", ".join(parts)


def answer_as_dict(answer: Answer) -> dict[str, Any]:
    """An answer with its citations, for JSON."""
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
                **_boxes(citation),
            }
            for citation in answer.citations
        ],
    }


def print_answer(answer: Answer) -> None:
    """The answer, then each citation with its place and quote."""
    click.echo(answer.text)
    for number, citation in enumerate(answer.citations, start=1):
        where = _where(citation.place.as_dict())
        source = ", ".join(part for part in (printable(citation.filename), where) if part)
        click.echo(f"\n[{number}] {click.style(source, bold=True)}")
        click.echo(f"    “{' '.join(citation.quote.split())}”")
