"""E-mail and saved web pages (.eml, .mhtml): headers, bodies, and attachments that are text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from pathlib import Path

from ingest.clean import one_line
from ingest.decode import decode
from ingest.parse.assemble import Assembler
from ingest.parse.html import add_page, decode_page
from retrieval.errors import NoText, Unreadable
from retrieval.types import Document

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_MAX_DEPTH = 20  # of messages and parts within each other
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_WORD = re.compile(r"\w{2,}")
_LINK = re.compile(r"\S*(?:://|www\.|cid:)\S*")
_EMPTY = "There is no text in the message, perhaps only pictures or attached files."


def read(path: Path, media_type: str) -> Document:
    """Parse a message; of alternative bodies the plain one, of attachments those that are text.

    Raises:
        NoText, Unreadable: there is no header and no text in it; it is no message.
    """
    message = _parsed(path.read_bytes())
    assembler = Assembler(media_type)
    add_message(message, assembler, level=1)
    return assembler.document(title=_header(message, "Subject"), if_empty=_EMPTY)


def _parsed(content: bytes) -> EmailMessage:
    # What is no header by the standard is kept as it is by this policy, and never an error.
    parser = BytesParser(policy=policy.default.clone(raise_on_defect=False))
    return parser.parsebytes(content.lstrip())


def add_message(message: Message, assembler: Assembler, *, level: int) -> None:
    """Add a message: its subject as heading of `level`, its other headers, then its parts."""
    subject = _header(message, "Subject")
    if subject:
        assembler.heading(subject, level=level)
    named = ((name, _header(message, name)) for name in _HEADERS[:-1])
    assembler.add("\n".join(f"{name}: {value}" for name, value in named if value), kind="other")
    _add_part(message, assembler, level, depth=0)


def _header(message: Message, name: str) -> str:
    try:
        value = message.get(name)
    except (ValueError, IndexError, TypeError, AttributeError):  # headers the library trips over
        value = next((raw for key, raw in message.raw_items() if key.lower() == name.lower()), "")
    return one_line(str(value)) if value else ""


def _add_part(part: Message, assembler: Assembler, level: int, *, depth: int) -> None:
    if depth > _MAX_DEPTH:
        return
    kind = part.get_content_type()
    if kind == "message/rfc822" and depth:
        for inner in _parts(part):
            add_message(inner, assembler, level=min(level + 1, 6))
    elif part.is_multipart():
        for inner in _chosen(kind, list(_parts(part))):
            _add_part(inner, assembler, level, depth=depth + 1)
    elif part.get_content_maintype() == "text":
        _add_text(part, kind, assembler)
    elif name := _filename(part):
        assembler.add(f"Attachment: {name}", kind="other")


def _parts(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    return (
        (inner for inner in payload if isinstance(inner, Message))
        if isinstance(payload, list)
        else iter(())
    )


def _chosen(kind: str, parts: list[Message]) -> list[Message]:
    """Of alternatives the plain one, and the fullest, which is the last, if it says more."""
    if kind != "multipart/alternative" or not parts:
        return parts
    plain = [part for part in parts if part.get_content_type() == "text/plain"][:1]
    if not plain or plain[0] is parts[-1]:
        return parts[-1:]
    rest = [] if _words(parts[-1]) <= _words(plain[0]) else parts[-1:]
    return plain + rest


def _words(part: Message) -> set[str]:
    """Words of a part and of those inside it, marks and links left out."""
    assembler = Assembler("text/plain")
    _add_part(part, assembler, 1, depth=1)
    try:
        text = assembler.document().text
    except NoText:
        return set()
    return set(_WORD.findall(_LINK.sub(" ", text).casefold()))


def _add_text(part: Message, kind: str, assembler: Assembler) -> None:
    name = _filename(part)
    if name:
        assembler.add(f"Attachment: {name}", kind="other")
    content = _bytes(part)
    try:
        if kind == "text/html":
            add_page(decode_page(content, declared=_charset(part)), assembler, prune=False)
        elif kind not in {"text/css", "text/javascript"}:
            for paragraph in _PARAGRAPH.split(decode(content, declared=_charset(part))):
                assembler.add(paragraph)
    except Unreadable:  # this part is not the text it claims to be; the others are
        return


def _bytes(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _charset(part: Message) -> str | None:
    charset = part.get_content_charset()
    return str(charset) if charset else None


def _filename(part: Message) -> str:
    try:
        return one_line(part.get_filename() or "")
    except (ValueError, IndexError, TypeError, AttributeError):
        return ""
