"""Parsed text, cached by content and parser."""

from __future__ import annotations

import json
import sqlite3
import zlib

from retrieval.boxes import PageBoxes
from retrieval.types import Block, Document, Place

# A part is what a passage reads of a huge document; small enough to be quick, large enough
# that rows do not outweigh the text.
PART_CHARS = 16_384


class Documents:
    """The `documents` and `document_parts` tables within one snapshot or transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, key: str) -> tuple[int, Document] | None:
        """The cached document under `key` with its row number, or None."""
        row = self._connection.execute(
            "SELECT n, media_type, title, n_pages, unread_pages, blocks FROM documents"
            " WHERE key = ?",
            (key,),
        ).fetchone()
        if row is None:
            return None
        number, media_type, title, n_pages, unread_pages, _ = row
        document = Document(
            media_type=media_type,
            text=self.text(number),
            blocks=self.blocks(number),
            title=title,
            n_pages=n_pages,
            unread_pages=tuple(json.loads(unread_pages)),
        )
        return number, document

    def title(self, number: int) -> str | None:
        """The title that a cached document gives itself, or None."""
        row = self._connection.execute(
            "SELECT title FROM documents WHERE n = ?", (number,)
        ).fetchone()
        return None if row is None else row[0]

    def lookup(self, key: str) -> tuple[int, int] | None:
        """Row number and length in characters of the cached document under `key`, or None."""
        row = self._connection.execute(
            "SELECT n, n_chars FROM documents WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def blocks(self, number: int, start: int = 0, end: int | None = None) -> tuple[Block, ...]:
        """The blocks of a cached document, in order: all, or all that touch text[start:end]."""
        row = self._connection.execute(
            "SELECT blocks FROM documents WHERE n = ?", (number,)
        ).fetchone()
        found = list(_unpack(row[0]))
        last = 1 << 60 if end is None else end
        for piece, piece_start in self.block_pieces(number):
            if piece_start < last:
                found += self.blocks_of_piece(number, piece)
        return tuple(
            block for block in found if block.end_char > start and block.start_char < last
        )

    def block_pieces(self, number: int) -> list[tuple[int, int]]:
        """The pieces of a long document, as (piece, first character); none of a short one."""
        rows = self._connection.execute(
            "SELECT piece, start_char FROM document_blocks WHERE document_n = ? ORDER BY piece",
            (number,),
        )
        return [(int(piece), int(start)) for piece, start in rows]

    def blocks_of_piece(self, number: int, piece: int) -> tuple[Block, ...]:
        """The blocks of one piece of a long document."""
        row = self._connection.execute(
            "SELECT blocks FROM document_blocks WHERE document_n = ? AND piece = ?",
            (number, piece),
        ).fetchone()
        return () if row is None else _unpack(row[0])

    def begin(self, key: str, media_type: str) -> int:
        """A new document, to be put together by `append` and ended by `finish`.

        Args:
            key: one under which nobody looks, until it is finished.
            media_type: of the file.
        """
        row = self._connection.execute(
            "INSERT INTO documents (key, media_type, unread_pages, n_chars, blocks)"
            " VALUES (?, ?, '[]', 0, ?) RETURNING n",
            (key, media_type, _pack(())),
        ).fetchone()
        return int(row[0])

    def append(self, number: int, text: str, blocks: tuple[Block, ...]) -> None:
        """Put a piece at the document's end; its blocks have their places in the whole."""
        (length,) = self._connection.execute(
            "SELECT n_chars FROM documents WHERE n = ?", (number,)
        ).fetchone()
        self._connection.execute(
            "INSERT INTO document_blocks SELECT ?1, count(*), ?2, ?3 FROM document_blocks"
            " WHERE document_n = ?1",
            (number, length, _pack(blocks)),
        )
        part = length // PART_CHARS
        tail = self.text(number, part * PART_CHARS)
        self._connection.execute(
            "DELETE FROM document_parts WHERE document_n = ? AND part = ?", (number, part)
        )
        self._add_parts(number, tail + text, first=part)
        self._connection.execute(
            "UPDATE documents SET n_chars = n_chars + ? WHERE n = ?", (len(text), number)
        )

    def finish(self, number: int, key: str) -> int:
        """Let the document be found under `key`; one that is there already takes its place."""
        known = self.lookup(key)
        if known is not None:
            self.remove(number)
            return known[0]
        self._connection.execute("UPDATE documents SET key = ? WHERE n = ?", (key, number))
        return number

    def remove(self, number: int) -> None:
        """Take out a document that no attachment refers to."""
        self._connection.execute(
            "DELETE FROM documents WHERE n = ?1"
            " AND NOT EXISTS (SELECT 1 FROM attachments WHERE document_n = ?1)",
            (number,),
        )

    def add(self, key: str, document: Document) -> int:
        """Cache a document; one that another process added meanwhile is kept."""
        cursor = self._connection.execute(
            "INSERT INTO documents (key, media_type, title, n_pages, unread_pages, n_chars, blocks)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING RETURNING n",
            (
                key,
                document.media_type,
                document.title,
                document.n_pages,
                json.dumps(document.unread_pages),
                len(document.text),
                _pack(document.blocks),
            ),
        )
        row = cursor.fetchone()
        if row is None:
            row = self._connection.execute(
                "SELECT n FROM documents WHERE key = ?", (key,)
            ).fetchone()
            return int(row[0])
        self._add_parts(int(row[0]), document.text)
        return int(row[0])

    def text(self, number: int, start: int = 0, end: int | None = None) -> str:
        """The document's text from `start` to `end`, in characters."""
        last = 1 << 60 if end is None else max(end - 1, 0) // PART_CHARS
        first = start // PART_CHARS
        rows = self._connection.execute(
            "SELECT text FROM document_parts WHERE document_n = ? AND part BETWEEN ? AND ?"
            " ORDER BY part",
            (number, first, last),
        )
        joined = "".join(row[0] for row in rows)
        offset = first * PART_CHARS
        return joined[start - offset : None if end is None else end - offset]

    def _add_parts(self, number: int, text: str, *, first: int = 0) -> None:
        starts = range(0, len(text), PART_CHARS)
        self._connection.executemany(
            "INSERT INTO document_parts VALUES (?, ?, ?)",
            [
                (number, part, text[start : start + PART_CHARS])
                for part, start in enumerate(starts, first)
            ],
        )


def _pack(blocks: tuple[Block, ...]) -> bytes:
    rows = [
        [
            block.kind,
            block.start_char,
            block.end_char,
            block.place.as_dict(),
            block.heading_path,
            *([block.lines.as_dict()] if block.lines else []),
        ]
        for block in blocks
    ]
    return zlib.compress(json.dumps(rows, ensure_ascii=False).encode("utf-8"), level=3)


def _unpack(packed: bytes) -> tuple[Block, ...]:
    rows = json.loads(zlib.decompress(packed))
    return tuple(
        Block(kind, start, end, Place(**place), tuple(headings), *map(PageBoxes.from_dict, lines))
        for kind, start, end, place, headings, *lines in rows
    )
