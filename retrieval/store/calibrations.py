"""How each vector store's scores are bent to fit its own judged queries."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from retrieval.calibrate import Calibration
from retrieval.errors import NotFound


class Calibrations:
    """The `calibrations` table within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock

    def of(self, store_id: str) -> Calibration | None:
        """That of a vector store; None if it has none for the model its vectors are of now."""
        row = self._connection.execute(
            "SELECT slope, shift, n_queries FROM calibrations AS c JOIN vector_stores AS v"
            " ON v.n = c.vector_store_n AND v.model_id = c.model_id WHERE v.id = ?",
            (store_id,),
        ).fetchone()
        return None if row is None else Calibration(*row)

    def put(self, store_id: str, calibration: Calibration) -> None:
        """Set that of a vector store, for its model of now."""
        n = self._connection.execute(
            "INSERT OR REPLACE INTO calibrations SELECT n, model_id, ?, ?, ?, ?"
            " FROM vector_stores WHERE id = ?",
            (
                calibration.slope,
                calibration.shift,
                calibration.n_queries,
                int(self._clock()),
                store_id,
            ),
        ).rowcount
        if not n:
            raise NotFound("vector_store", store_id)

    def remove(self, store_id: str) -> None:
        """Go back to the built-in scores."""
        self._connection.execute(
            "DELETE FROM calibrations WHERE vector_store_n ="
            " (SELECT n FROM vector_stores WHERE id = ?)",
            (store_id,),
        )
