"""Bytes → media type: by content first, by name only among types of text.

A name is a claim: a PDF called ``notes.txt`` is a PDF. Only text tells too little about itself,
so there the extension chooses between source code, Markdown, CSV and the like.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path, PurePath
from types import MappingProxyType

from ingest.decode import decode, looks_like_text
from retrieval.errors import Unreadable

HEAD_BYTES = 65_536
_TAIL_BYTES = 65_536  # a zip's list of members stands at its end

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HTML = "text/html"
PLAIN = "text/plain"
EPUB = "application/epub+zip"
OLD_SHEET = "application/x-old-excel"
BINARY = "application/octet-stream"

# First bytes → type. Sources: the formats' specifications, collected in freedesktop's
# shared-mime-info and in Apache Tika's tika-mimetypes.xml.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"{\\rtf", "application/rtf"),
    (b"%!PS", "application/postscript"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"BM", "image/bmp"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"(\xb5/\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/x-executable"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/matroska"),
    # Sheets of Excel 2 to 4, from before compound files ([MS-XLS] begins with 5).
    (b"\x09\x00\x04\x00", OLD_SHEET),
    (b"\x09\x02\x06\x00", OLD_SHEET),
    (b"\x09\x04\x06\x00", OLD_SHEET),
    (b"AT&TFORM", "image/vnd.djvu"),
    (b"PAR1", "application/vnd.apache.parquet"),
)
# So short that a text may begin with them.
_SHORT_MAGIC = frozenset({"image/bmp", "application/x-executable", "application/x-bzip2",
                          "audio/mpeg", "image/gif", "application/vnd.apache.parquet"})  # fmt: skip
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

# A member's name inside a zip → type of the whole; the first match decides.
_MEMBERS: tuple[tuple[bytes, str], ...] = (
    (b"xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
    (b"word/", DOCX),
    (b"ppt/", PPTX),
    (b"xl/", XLSX),
    (b"META-INF/container.xml", EPUB),
)
_CONTENT_TYPES: tuple[tuple[bytes, str], ...] = (  # inside [Content_Types].xml
    (b"wordprocessingml", DOCX),
    (b"presentationml", PPTX),
    (b"spreadsheetml", XLSX),
)

# Streams of the old compound files, named in UTF-16.
_OLE_STREAMS: tuple[tuple[str, str], ...] = (
    ("EncryptedPackage", "application/x-encrypted-ooxml"),
    ("WordDocument", "application/msword"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
    ("__substg1.0_", "application/vnd.ms-outlook"),
)
ENCRYPTED_OOXML = _OLE_STREAMS[0][1]

# Types of text by extension. The first group is the contract's list of ingestible types.
_TEXT_NAMES = MappingProxyType({
    "c": "text/x-c", "cpp": "text/x-c++", "cs": "text/x-csharp", "css": "text/css",
    "go": "text/x-golang", "html": HTML, "java": "text/x-java", "js": "text/javascript",
    "json": "application/json", "md": "text/markdown", "php": "text/x-php",
    "py": "text/x-python", "rb": "text/x-ruby", "sh": "application/x-sh", "tex": "text/x-tex",
    "ts": "application/typescript", "txt": PLAIN,
    # Further names of these types.
    "h": "text/x-c", "cc": "text/x-c++", "cxx": "text/x-c++", "hpp": "text/x-c++",
    "hh": "text/x-c++", "htm": HTML, "xhtml": HTML, "mjs": "text/javascript",
    "cjs": "text/javascript", "jsx": "text/javascript", "tsx": "application/typescript",
    "markdown": "text/markdown", "mdx": "text/markdown", "pyi": "text/x-python",
    "bash": "application/x-sh", "zsh": "application/x-sh", "latex": "text/x-tex",
    # Further languages.
    "rs": "text/x-rust", "kt": "text/x-kotlin", "swift": "text/x-swift",
    "scala": "text/x-scala", "lua": "text/x-lua", "pl": "text/x-perl", "r": "text/x-r",
    "sql": "application/sql", "m": "text/x-objc", "dart": "text/x-dart", "ex": "text/x-elixir",
    "hs": "text/x-haskell", "ps1": "text/x-powershell", "proto": "text/x-protobuf",
    "scss": "text/css", "less": "text/css",
    # Data.
    "csv": "text/csv", "tsv": "text/tab-separated-values", "tab": "text/tab-separated-values",
    "jsonl": "application/jsonl", "ndjson": "application/jsonl",
    "xml": "application/xml", "eml": "message/rfc822", "mhtml": "multipart/related",
    "mht": "multipart/related", "rtf": "application/rtf", "svg": "image/svg+xml",
    "yaml": "application/yaml", "yml": "application/yaml", "toml": "application/toml",
    "rss": "application/xml", "atom": "application/xml", "xsd": "application/xml",
    "ipynb": "application/x-ipynb+json",
    # Further markup.
    "rst": "text/x-rst", "rest": "text/x-rst", "adoc": "text/x-asciidoc",
    "asciidoc": "text/x-asciidoc", "org": "text/x-org",
})  # fmt: skip

_HTML_START = re.compile(
    r"(?i)\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.DOTALL,
)
_MAIL_HEADER = re.compile(r"(?:[A-Za-z][\w-]*:[^\n]*\n(?:[ \t][^\n]*\n)*){3}")
_MAIL_FIELDS = ("\nfrom:", "\nreceived:", "\nmime-version:", "\nmessage-id:")
_SHEBANGS = (("python", "text/x-python"), ("node", "text/javascript"), ("ruby", "text/x-ruby"),
             ("php", "text/x-php"), ("sh", "application/x-sh"))  # fmt: skip


def detect(head: bytes, filename: str) -> str:
    """Return the media type of a file.

    Args:
        head: its first bytes, at least some thousand where there are so many; `read_ends` gives
            what all of the checks need.
        filename: decides only between types of text.

    Returns:
        A media type; ``application/octet-stream`` for bytes that are neither text nor known.

    >>> detect(b"%PDF-1.7 ...", "notes.txt")
    'application/pdf'
    >>> detect(b"def f(): ...", "f.py")
    'text/x-python'
    """
    if b"%PDF-" in head[:1024]:  # ISO 32000-1, annex H: anywhere in the first 1024 bytes
        return PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _in_zip(head)
    if head.startswith(_OLE):
        return _in_compound_file(head)
    known = next((kind for magic, kind in _MAGIC if head.startswith(magic)), _in_media(head))
    is_text = (known is None or known in _SHORT_MAGIC) and looks_like_text(head)
    if is_text:
        return _in_text(head, filename)
    return known or BINARY


def _in_media(head: bytes) -> str | None:
    """Containers of pictures, sound and film, which name themselves some bytes in."""
    if head[4:12] in {b"ftypheic", b"ftypmif1", b"ftypavif"}:
        return "image/heic"
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head[:4] == b"RIFF":
        return "image/webp" if head[8:12] == b"WEBP" else "audio/wav"
    return None


def read_ends(path: Path) -> bytes:
    """Return the bytes `detect` looks at: the head, and of a container also the tail."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not head.startswith((b"PK", _OLE)):
            return head
        size = file.seek(0, 2)
        file.seek(max(len(head), size - _TAIL_BYTES))
        return head + file.read()


def _in_zip(content: bytes) -> str:
    stated = re.match(
        rb"PK\x03\x04.{22}(?:..)?.{0,4}?mimetype(application/[\w.+-]+)", content[:200], re.DOTALL
    )
    if stated:  # EPUB and OpenDocument put their type first, unpacked
        return stated.group(1).decode().removesuffix("PK")
    for name, kind in _MEMBERS:
        if re.search(rb"PK(?:\x03\x04.{26}|\x01\x02.{42})" + re.escape(name), content, re.DOTALL):
            return kind
    types = _content_types(content)
    return next((kind for word, kind in _CONTENT_TYPES if word in types), "application/zip")


def _content_types(content: bytes) -> bytes:
    """[Content_Types].xml of an Open XML package whose list of members is out of reach."""
    found = re.search(
        rb"PK\x03\x04.{4}\x08\x00.{16}(..)(..)\[Content_Types\]\.xml", content, re.DOTALL
    )
    if not found:
        return b""
    start = found.end() + int.from_bytes(found.group(2), "little")
    try:
        return zlib.decompressobj(-15).decompress(content[start:], 1_000_000)
    except zlib.error:
        return b""


def _in_compound_file(content: bytes) -> str:
    for stream, kind in _OLE_STREAMS:
        if stream.encode("utf-16-le") in content:
            return kind
    return "application/x-ole-storage"


def _in_text(head: bytes, filename: str) -> str:
    try:
        text = decode(head[:4096])
    except Unreadable:  # the cut fell into a character of a wide encoding
        text = head[:4096].decode("utf-8", "replace")
    extension = PurePath(filename.lower()).suffix.lstrip(".")
    named = _TEXT_NAMES.get(extension)
    if named not in {None, PLAIN, HTML, "application/rtf"}:
        return str(named)
    if _HTML_START.match(text):
        return HTML
    if text.lstrip().startswith("<?xml"):
        return "application/xml"
    if not extension and text.startswith("#!"):
        line = text.split("\n", 1)[0]
        return next((kind for word, kind in _SHEBANGS if word in line), PLAIN)
    if _MAIL_HEADER.match(text) and any(field in "\n" + text.lower() for field in _MAIL_FIELDS):
        return "message/rfc822"
    return HTML if named == HTML else PLAIN
