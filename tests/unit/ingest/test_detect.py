import io
import zipfile

import pytest

from ingest.detect import (
    BINARY,
    DOCX,
    ENCRYPTED_OOXML,
    HTML,
    OLD_SHEET,
    PDF,
    PLAIN,
    PPTX,
    XLSX,
    detect,
    read_ends,
)
from ingest.parse import PARSERS
from ingest.parse.advice import refusal
from retrieval.errors import Encrypted, UnsupportedFile


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name in names:
            package.writestr(name, "<x/>" * 100)
    return buffer.getvalue()


def with_types(word: str) -> bytes:
    """An Open XML package whose list of members is further back than we look."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", f"<Types>application/vnd.{word}.main</Types>" * 9)
    return buffer.getvalue()[:200]


def epub() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("mimetype", "application/epub+zip")
        package.writestr("index.html", "<html></html>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("head", "filename", "expected"),
    [
        (b"%PDF-1.4\n", "report.pdf", PDF),
        (b"%PDF-1.4\n", "report.txt", PDF),
        (b"\x00\x01junk before\n%PDF-1.4\n", "report.pdf", PDF),
        (zipped("[Content_Types].xml", "word/document.xml"), "a.docx", DOCX),
        (zipped("[Content_Types].xml", "word/document.xml"), "a.pdf", DOCX),
        (zipped("[Content_Types].xml", "ppt/presentation.xml"), "a.zip", PPTX),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "a.docx", XLSX),
        (with_types("openxmlformats-officedocument.wordprocessingml"), "a.docx", DOCX),
        (zipped("notes.txt"), "notes.docx", "application/zip"),
        (epub(), "book.epub", "application/epub+zip"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument".encode("utf-16-le"),
            "a.docx",
            "application/msword",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "a.docx",
            ENCRYPTED_OOXML,
        ),
        (b"{\\rtf1\\ansi hello}", "a.txt", "application/rtf"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a.txt", "image/png"),
        (b"\x00\x00\x00\x18ftypmp42", "a.txt", "video/mp4"),
        (b"\x1f\x8b\x08\x00\x00", "a.txt", "application/gzip"),
        (bytes(range(256)) * 8, "a.txt", BINARY),
        (bytes(range(256)) * 8, "a.py", BINARY),
        (b"BM is how this sentence begins.", "a.txt", PLAIN),
        (b"<!DOCTYPE html><html><body>x", "page", HTML),
        (b"<p>fragment", "page.html", HTML),
        (b"<p>fragment", "page.txt", PLAIN),
        (b"<!-- c --><html>", "page.txt", HTML),
        (b"def f():\n    return 1\n", "f.py", "text/x-python"),
        (b"#!/usr/bin/env python3\nprint(1)\n", "tool", "text/x-python"),
        (b"#!/bin/sh\nls\n", "tool", "application/x-sh"),
        (b"# Title\n", "README.MD", "text/markdown"),
        (b"a,b\n1,2\n", "t.csv", "text/csv"),
        (b'{"a": 1}\n{"a": 2}\n', "t.jsonl", "application/jsonl"),
        ("höhe,breite\n".encode("utf-16"), "t.csv", "text/csv"),
        (
            b"From: a@b.c\nTo: d@e.f\nSubject: x\nMessage-ID: <1>\n\nhello",
            "m.txt",
            "message/rfc822",
        ),
        (b"Name: Bob\nAge: 5\nTown: Rome\n", "m.txt", PLAIN),
        (b"just words", "", PLAIN),
        (b"just words", "a.unknown", PLAIN),
        (b"", "a.txt", PLAIN),
    ],
)
def test_content_decides_before_the_name(head, filename, expected):
    assert detect(head, filename) == expected


def test_multibyte_character_cut_by_the_head_is_still_text(tmp_path):
    path = tmp_path / "long.txt"
    path.write_bytes(b"a" + "é".encode() * 40_000)  # the head ends within an é
    assert detect(read_ends(path), "long.txt") == PLAIN


def test_members_at_the_far_end_of_a_zip_are_seen(tmp_path):
    path = tmp_path / "big.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as package:
        package.writestr("media.bin", bytes(300_000))
        package.writestr("word/document.xml", "<x/>")
    assert detect(read_ends(path), "big.docx") == DOCX


CONTRACT_NAMES = [
    "c",
    "cpp",
    "cs",
    "css",
    "go",
    "html",
    "java",
    "js",
    "json",
    "md",
    "php",
    "py",
    "rb",
    "sh",
    "tex",
    "ts",
    "txt",
    "csv",
    "tsv",
    "jsonl",
]


@pytest.mark.parametrize("extension", CONTRACT_NAMES)
def test_every_ingestible_name_has_a_parser(extension):
    assert detect(b"some text", f"file.{extension}") in PARSERS


def test_refusal_says_what_to_save_as():
    error = refusal(OLD_SHEET)
    assert isinstance(error, UnsupportedFile)
    assert error.media_type == OLD_SHEET
    assert "Save it as XLSX or CSV" in str(error)
    assert detect(b"\x09\x04\x06\x00\x00\x00\x10\x00\xd3\x10", "a.xls") == OLD_SHEET


@pytest.mark.parametrize(
    ("media_type", "advice"),
    [("image/png", "OCR"), ("audio/mpeg", "transcript"), ("application/x-new", "plain text")],
)
def test_refusal_of_other_types_falls_back_to_their_group(media_type, advice):
    assert advice in str(refusal(media_type))


def test_encrypted_office_file_asks_for_a_copy_without_password():
    assert isinstance(refusal(ENCRYPTED_OOXML), Encrypted)


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (b"{\\rtf1 x}", "a.doc", "application/rtf"),
        (b"<?xml version='1.0'?><a/>", "a", "application/xml"),
        (b"key: value", "a.yml", "application/yaml"),
        (b'{"cells": []}', "a.ipynb", "application/x-ipynb+json"),
        (b"Title\n=====", "a.rst", "text/x-rst"),
        (b"= Title", "a.adoc", "text/x-asciidoc"),
        (b"* Title", "a.org", "text/x-org"),
    ],
)
def test_further_types(content, name, media_type):
    assert detect(content, name) == media_type
    assert media_type in PARSERS
