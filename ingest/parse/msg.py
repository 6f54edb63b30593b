"""Outlook's .msg: a compound file of properties ([MS-OXMSG])."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from ingest.clean import one_line
from ingest.decode import decode
from ingest.parse.assemble import Assembler
from ingest.parse.compound import OleFileIO, open_compound, stream
from ingest.parse.html import add_page, decode_page
from ingest.parse.rtf import rtf_text
from retrieval.errors import Encrypted, FileFailed, Unreadable
from retrieval.types import Document

# Property tags ([MS-OXPROPS]); the last four digits of a stream's name are the value's type.
_SUBJECT, _BODY, _HTML, _RTF = "0037", "1000", "1013", "1009"
_SENDER, _SENDER_ADDRESS, _TO, _CC = "0C1A", "5D01", "0E04", "0E03"
_CLASS, _ATTACHED_NAME, _ATTACHED_LONG_NAME = "001A", "3704", "3707"
_UNICODE, _BYTES_8, _BINARY = "001F", "001E", "0102"
_ATTACHMENT = re.compile(r"__attach_version1\.0_#[0-9A-F]{8}$", re.IGNORECASE)
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_EMPTY = "There is no text in the message, perhaps only pictures or attached files."
_PROTECTED = "The message is encrypted. Open it in Outlook, save its text, and add that."


def read(path: Path, media_type: str) -> Document:
    """Parse an Outlook message: headers, body, and the names of attachments.

    Raises:
        NoText, Unreadable, Encrypted: it is empty, damaged, or encrypted.
    """
    assembler = Assembler(media_type)
    with open_compound(path) as file:
        subject = _text(file, "", _SUBJECT)
        assembler.heading(subject, level=1)
        assembler.add("\n".join(_headers(file)), kind="other")
        before = assembler.n_blocks
        _add_body(file, assembler)
        if assembler.n_blocks == before and "smime" in _text(file, "", _CLASS).lower():
            raise Encrypted(_PROTECTED)
        for folder in sorted(
            {entry[0] for entry in file.listdir() if _ATTACHMENT.match(entry[0])}
        ):
            name = _text(file, folder, _ATTACHED_LONG_NAME) or _text(file, folder, _ATTACHED_NAME)
            assembler.add(f"Attachment: {one_line(name)}" if name else "", kind="other")
    return assembler.document(title=subject, if_empty=_EMPTY)


def _headers(file: OleFileIO) -> Iterator[str]:
    sender, address = _text(file, "", _SENDER), _text(file, "", _SENDER_ADDRESS)
    both = f"{sender} <{address}>" if address and address != sender else sender
    for name, value in (
        ("From", both),
        ("To", _text(file, "", _TO)),
        ("Cc", _text(file, "", _CC)),
    ):
        if value.strip():
            yield f"{name}: {one_line(value)}"


def _add_body(file: OleFileIO, assembler: Assembler) -> None:
    """Add the plain body, or else the HTML one, or else the compressed RTF."""
    if plain := _text(file, "", _BODY).strip():
        for paragraph in _PARAGRAPH.split(plain.replace("\r\n", "\n")):
            assembler.add(paragraph)
    elif page := _binary(file, _HTML).rstrip(b"\0"):
        add_page(decode_page(page), assembler, prune=False)
    elif packed := _binary(file, _RTF):
        for paragraph in rtf_text(decompressed(packed)).split("\n"):
            assembler.add(paragraph)


def _binary(file: OleFileIO, tag: str) -> bytes:
    return stream(file, f"__substg1.0_{tag}{_BINARY}") or b""


def _text(file: OleFileIO, folder: str, tag: str) -> str:
    name = f"{folder}/__substg1.0_{tag}" if folder else f"__substg1.0_{tag}"
    wide = stream(file, name + _UNICODE)
    if wide is not None:
        return wide.decode("utf-16-le", "replace").rstrip("\0")
    narrow = stream(file, name + _BYTES_8)
    if not narrow:
        return ""
    try:
        return decode(narrow.rstrip(b"\0"))
    except FileFailed:
        return narrow.decode("cp1252", "replace").rstrip("\0")


# --- compressed RTF, [MS-OXRTFCP] ---------------------------------------------------------

_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript "
    rb"\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_RING = 4096
_HEADER_BYTES = 16


def decompressed(packed: bytes) -> bytes:
    """Return the RTF in a compressed stream.

    Source: [MS-OXRTFCP], sections 2.1 and 3.1.

    Raises:
        Unreadable: it is no such stream.
    """
    if len(packed) < _HEADER_BYTES:
        raise Unreadable("The message is damaged: its text is cut off.")
    _, n_raw, kind, _ = struct.unpack_from("<II4sI", packed)
    if kind == b"MELA":
        return packed[_HEADER_BYTES : _HEADER_BYTES + n_raw]
    ring = bytearray(_DICTIONARY.ljust(_RING, b"\0"))
    at, write, found = _HEADER_BYTES, len(_DICTIONARY), bytearray()
    while at < len(packed):
        flags = packed[at]
        at += 1
        for bit in range(8):
            width = 2 if flags & (1 << bit) else 1
            token = packed[at : at + width]
            at += width
            if len(token) < width:
                return bytes(found)
            piece = token if width == 1 else _referred(ring, int.from_bytes(token, "big"), write)
            if piece is None:
                return bytes(found)
            for byte in piece:
                ring[write] = byte
                write = (write + 1) % _RING
            found += piece
    return bytes(found)


def _referred(ring: bytearray, token: int, write: int) -> bytes | None:
    """Bytes that a reference repeats; None at the one that ends the stream."""
    offset, length = token >> 4, (token & 0xF) + 2
    if offset == write:
        return None
    # A reference may run into what it writes itself.
    span = (write - offset) % _RING
    return bytes(ring[(offset + n % span) % _RING] for n in range(length))
