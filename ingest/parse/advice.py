"""What to tell the user of a file that no parser reads."""

from __future__ import annotations

from types import MappingProxyType

from ingest.detect import BINARY, ENCRYPTED_OOXML, OLD_SHEET
from retrieval.errors import Encrypted, FileFailed, UnsupportedFile

# Pictures whose text is read where the extra is installed.
PICTURES = tuple(f"image/{kind}" for kind in ("png", "jpeg", "tiff", "webp", "bmp", "gif"))

OCR_HINT = "Install text recognition, pip install 'sourcebook[ocr]', and index it again"
_SHEET = "Save it as XLSX or CSV and add that."
_PICTURE = (
    f"{OCR_HINT} to have the text in pictures read; or run OCR on it yourself and add the PDF."
)
_OTHER_PICTURE = "Save it as PNG, JPEG or PDF and add that."
_SOUND = "There is no text to read in it; add a transcript."
_PACKED = "Unpack it and add the files in it."

_ADVICE = MappingProxyType({
    "application/postscript": "Convert it to PDF and add that.",
    "application/vnd.apache.parquet": _SHEET,
    OLD_SHEET: _SHEET,
    "application/vnd.sqlite3": "Export its tables as CSV and add those.",
    **dict.fromkeys(PICTURES, _PICTURE),
    "application/zip": _PACKED,
    "application/gzip": _PACKED,
    "application/x-bzip2": _PACKED,
    "application/x-xz": _PACKED,
    "application/zstd": _PACKED,
    "application/x-7z-compressed": _PACKED,
    "application/vnd.rar": _PACKED,
    BINARY: "It is binary and of no known format; save it as PDF, DOCX or text and add that.",
})  # fmt: skip
_BY_GROUP = MappingProxyType({"image": _OTHER_PICTURE, "audio": _SOUND, "video": _SOUND})
_ANY = "Save it as PDF, DOCX, HTML or plain text and add that."


def refusal(media_type: str) -> FileFailed:
    """Return the error for a type without parser, with what to save the file as.

    >>> print(refusal("application/vnd.apache.parquet"))
    Files of type application/vnd.apache.parquet are not supported. Save it as XLSX or CSV and add that.
    """
    if media_type == ENCRYPTED_OOXML:
        return Encrypted(
            "The file is protected by a password. Save a copy without one and add that."
        )
    group = media_type.partition("/")[0]
    return UnsupportedFile(
        media_type, advice=_ADVICE.get(media_type) or _BY_GROUP.get(group, _ANY)
    )
