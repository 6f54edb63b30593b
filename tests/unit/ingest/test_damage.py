"""Damaged files of every packed format fail with a reason, or lose little; nothing else is raised."""

import random

import pytest
from packages import book, compound, old_workbook, open_document
from test_parse_doc import word
from test_parse_mail import PAGE
from test_parse_rtf import rtf

from ingest.parse import parse
from retrieval.errors import FileFailed

WHOLE = {
    "a.epub": book({"one": "<h1>Title</h1><p>Text.</p>", "two": "<p>More.</p>"}),
    "a.odt": open_document("text", "<office:text><text:p>Text.</text:p></office:text>"),
    "a.xls": old_workbook([["Team", "Cups"], ["Blues", 1.0]]),
    "a.doc": word(("Text.\r", "cp1252"), ("More.\r", "utf-16-le")),
    "a.msg": compound({"__substg1.0_0037001F": "Cups".encode("utf-16-le")}),
    "a.mhtml": PAGE,
    "a.rtf": rtf(r"{\fonttbl{\f0 A;}}\pard Text \'e9\u8364?.\par"),
    "a.xml": b"<?xml version='1.0'?><a><b>Text</b><c d='e'/></a>",
    "a.ipynb": b'{"cells": [{"cell_type": "code", "source": ["x"], "outputs": [{"text": "1"}]}]}',
}


@pytest.mark.parametrize("name", WHOLE)
def test_damage_ends_in_text_or_a_reason(tmp_path, name):
    dice = random.Random(name)
    path = tmp_path / "blob"
    n_read = 0
    for turn in range(60):
        content = bytearray(WHOLE[name])
        if turn % 3 == 0:
            del content[dice.randrange(1, len(content)) :]
        for _ in range(dice.choice([0, 1, 10])):
            content[dice.randrange(len(content))] = dice.randrange(256)
        path.write_bytes(content)
        try:
            n_read += bool(parse(path, filename=name).text)
        except FileFailed as error:
            reason = str(error)
            assert reason.endswith(".")
    assert n_read
