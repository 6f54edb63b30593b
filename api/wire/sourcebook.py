"""The one extension to the contract: everything under the key `sourcebook`, only when asked."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from api.wire.validation import Closed
from retrieval.types import Hit


class Wanted(Closed):
    """What of the extension a request asks for."""

    places: bool | None = None
    boxes: bool | None = None
    explain: bool | None = None


def wanted(given: Wanted | None, *, always: bool) -> Wanted:
    """`given` with absences filled in from `always`, the server's setting."""
    asked = given or Wanted()
    return Wanted(
        places=always if asked.places is None else asked.places,
        boxes=bool(asked.boxes),  # never by a setting: they cost some milliseconds a hit
        explain=always if asked.explain is None else asked.explain,
    )


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
