"""What a reader of a stored response or event gets to see of it.

Places, quotes and results are always stored, so that they can be asked for later; without
being asked for, every reply has exactly the official keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """What was asked for."""

    results: bool = False  # include=["file_search_call.results"]
    places: bool = False  # {"sourcebook": {"places": true}}

    def of_response(self, body: Mapping[str, Any]) -> Json:
        """A response as this reader sees it; `body` stays as it is."""
        return {**body, "output": [self.of_item(item) for item in body["output"]]}

    def of_event(self, event: Mapping[str, Any]) -> Json:
        """A stream event as this reader sees it."""
        if "delta" in event:
            return dict(event)  # most events; there is nothing to hide in them
        seen = dict(event)
        for key, show in (
            ("response", self.of_response),
            ("item", self.of_item),
            ("part", self._part),
            ("annotation", self._entry),
        ):
            if key in seen:
                seen[key] = show(seen[key])
        return seen

    def of_item(self, item: Mapping[str, Any]) -> Json:
        """An input or output item as this reader sees it."""
        seen = dict(item)
        if seen.get("type") == "file_search_call":
            found = seen.get("results")
            seen["results"] = None
            if self.results and found is not None:
                seen["results"] = [self._entry(entry) for entry in found]
        elif isinstance(seen.get("content"), list):
            seen["content"] = [self._part(part) for part in seen["content"]]
        return seen

    def _part(self, part: Mapping[str, Any]) -> Json:
        seen = dict(part)
        if isinstance(seen.get("annotations"), list):
            seen["annotations"] = [self._entry(entry) for entry in seen["annotations"]]
        return seen

    def _entry(self, entry: Mapping[str, Any]) -> Json:
        return {k: v for k, v in entry.items() if self.places or k != "sourcebook"}
