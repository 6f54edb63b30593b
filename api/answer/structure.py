"""The blocks of the documents that hits come from: where sentences, rows and pages are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from retrieval.errors import NotFound
from retrieval.queries import Hit
from retrieval.types import Block

if TYPE_CHECKING:
    from api.engine import Engine


class Structure:
    """Reads the blocks of each hit once; `blocks` is an `evidence.BlocksOf`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, tuple[Block, ...]] = {}

    def blocks(self, hit: Hit) -> Sequence[Block]:
        """The blocks that touch the hit; none when its file was deleted meanwhile."""
        key = f"{hit.vector_store_id}:{hit.id}"
        if key not in self._known:
            self._known[key] = self._read(hit)
        return self._known[key]

    def _read(self, hit: Hit) -> tuple[Block, ...]:
        try:
            with self._engine.store.read() as view:
                number = view.attachments.number(hit.vector_store_id, hit.file_id)
                return view.commits.blocks(number, hit.start_char, hit.end_char)
        except NotFound:
            return ()
