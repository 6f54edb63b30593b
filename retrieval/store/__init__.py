"""The only truth: one SQLite database and the blobs beside it.

Reading order: `schema.sql`, `connection.py` (who may read and write when), `blobs.py`, then
one file a table group: `files`, `vector_stores`, `attachments`, `batches`, `documents`,
`chunks`, `jobs`, `responses`, `uploads`, `keys`. `expiry.py` takes out what is over; `tables.py` puts all side by side on one connection.
"""

from retrieval.store.blobs import Blobs
from retrieval.store.connection import Store
from retrieval.store.tables import Tables

__all__ = ["Blobs", "Store", "Tables"]
