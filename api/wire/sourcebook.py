"""The one extension to the contract: everything under the key `sourcebook`, only when asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from api.wire.validation import Closed
from retrieval.queries import MAX_NEIGHBOURS, Hit
from retrieval.why_not import WhyNot

MAX_NAMES: Final = 100
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]  # of a file or a hit


class Wanted(Closed):
    """What of the extension a request asks for."""

    places: bool | None = None
    boxes: bool | None = None
    explain: bool | None = None


class WantedOfSearch(Wanted):
    """What a search request asks for beyond the contract; the last three shape its answer."""

    neighbours: int | None = Field(default=None, ge=0, le=MAX_NEIGHBOURS)
    max_tokens: int | None = Field(default=None, ge=1)
    why_not: list[Name] | None = Field(default=None, max_length=MAX_NAMES)


def wanted(given: Wanted | None, *, always: bool) -> Wanted:
    """`given` with absences filled in from `always`, the server's setting."""
    asked = given or Wanted()
    return Wanted(
        places=always if asked.places is None else asked.places,
        boxes=bool(asked.boxes),  # never by a setting: they cost some milliseconds a hit
        explain=always if asked.explain is None else asked.explain,
    )


def search_extension(found: Sequence[WhyNot]) -> dict[str, Any]:
    """The `sourcebook` object of a page of hits: what became of what was asked for by name."""
    return {"why_not": [asdict(each) for each in found]}


def hit_extension(hit: Hit, want: Wanted) -> dict[str, Any] | None:
    """The `sourcebook` object of one hit; None when nothing is asked for.

    With `places`: what is known of page, slide, sheet, rows and lines, the character span in
    the stored text, and the heading path. With `boxes` these and where to draw the hit on its
    pages. With `explain`: rank and score of both legs.
    """
    if not (want.places or want.boxes or want.explain):
        return None
    found: dict[str, Any] = {"id": hit.id}
    if want.places or want.boxes:
        span = {"start_char": hit.start_char, "end_char": hit.end_char}
        found |= {**hit.place.as_dict(), **span, "heading_path": list(hit.heading_path)}
    if hit.boxes is not None:
        found["boxes"] = [page.as_dict() for page in hit.boxes]
    if want.explain:
        found["explanation"] = asdict(hit.explanation)
    return found
