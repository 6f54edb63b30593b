"""The blocks of the documents that hits come from: where sentences, rows and pages are."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from retrieval.errors import NotFound
from retrieval.queries import Hit
from retrieval.types import Block

if TYPE_CHECKING:
    from api.engine import Engine


class Structure:
    """Reads a document's blocks once for all its hits; `blocks` is an `evidence.BlocksOf`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[tuple[str, str], tuple[Block, ...]] = {}

    def blocks(self, hit: Hit) -> Sequence[Block]:
        """The blocks that touch the hit; none when its file was deleted meanwhile."""
        key = (hit.vector_store_id, hit.file_id)
        if key not in self._known:
            self._known[key] = self._read(*key)
        found = self._known[key]
        first = bisect_right(found, hit.start_char, key=lambda block: block.end_char)
        last = bisect_left(found, hit.end_char, key=lambda block: block.start_char)
        return found[first:last]

    def _read(self, store_id: str, file_id: str) -> tuple[Block, ...]:
        try:
            with self._engine.store.read() as view:
                return view.commits.blocks(view.attachments.number(store_id, file_id))
        except NotFound:
            return ()
