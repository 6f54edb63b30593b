import json

import pytest
from document_checks import check_invariants, outline
from hypothesis import given
from hypothesis import strategies as st

from ingest.clean import clean, one_line
from ingest.decode import decode
from ingest.parse import parse_parts, verbatim
from ingest.parse.assemble import Assembler, tidy_title
from ingest.parse.code import _spans as code_spans
from ingest.parse.packing import pack, unpack
from ingest.parse.parts import joined
from ingest.parse.plain import _spans as plain_spans
from ingest.parse.verbatim import Span
from retrieval.errors import NoText, Unreadable, UnsupportedFile
from retrieval.types import Place

GERMAN = "Über die Größe der Brücke: schön, süß und öffentlich.\n"
RUSSIAN = "Однажды, в студёную зимнюю пору, я из лесу вышел; был сильный мороз.\n" * 3
POLISH = (
    "W Polsce żyje wiele osób, które chętnie chodzą po górach. Pięć lat temu wójt założył "
    "szkołę, gdzie dzieci uczą się języków obcych, a wieczorem słuchają muzyki.\n"
)
JAPANESE = "名前,年齢,住所\n佐藤太郎,30,東京\n三木英子,25,大阪\n髙橋淳,35,名古屋\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "latin-1"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
        (GERMAN, "utf-32-be"),
        ("können\n", "latin-1"),
        ("A price of 5 € – “cheap”, they said.\n", "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "koi8-r"),
        (JAPANESE, "cp932"),
        (JAPANESE.replace("髙", "高"), "euc-jp"),
        (POLISH, "cp1250"),
    ],
)
def test_text_comes_out_right_in_any_encoding(text, encoding):
    assert decode(text.encode(encoding)) == text


def test_declared_encoding_counts_after_utf8_and_before_a_guess():
    assert decode("żółć".encode("cp1250"), declared="cp1250") == "żółć"
    assert decode("żółć".encode(), declared="cp1250") == "żółć"
    assert decode("abcdé".encode("latin-1"), declared="no-such-code") == "abcdé"


def test_binary_bytes_are_not_taken_for_text():
    with pytest.raises(Unreadable, match="UTF-8"):
        decode(bytes(range(256)) * 20)


def test_unusable_characters_are_removed_and_line_ends_made_one():
    assert clean("a\r\nb\rc\x00\x07\ufeff\xadd\x0ce\ud800") == "a\nb\ncd\ne\ufffd"
    assert one_line("  a\n\t b ") == "a b"


@given(st.text())
def test_clean_text_can_always_be_encoded_and_stays_as_it_is(text):
    once = clean(text)
    once.encode()
    assert clean(once) == once


# --- plain --------------------------------------------------------------------------------


def test_plain_text_is_its_source_with_a_block_a_paragraph(parsed):
    document = parsed("One\nline.\r\n\r\n  Two.\n\n\n", "a.txt")
    assert document.text == "One\nline.\n\n  Two.\n\n\n"
    assert outline(document) == [("paragraph", "One\nline."), ("paragraph", "Two.")]
    assert [block.place for block in document.blocks] == [
        Place(first_line=1, last_line=2),
        Place(first_line=4, last_line=4),
    ]


def test_plain_headings_are_told_by_their_looks(parsed):
    document = parsed(
        "GENERAL TERMS\n\nScope.\n\n1. Duties\n\nx y.\n\n1.1 Payment in advance\n\nPay.\n\n"
        "Title\n=====\n\nText.\n\nIt ended in 1990.\n",
        "a.txt",
    )
    paths = {document.text[b.start_char : b.end_char]: b.heading_path for b in document.blocks}
    assert paths["Scope."] == ("GENERAL TERMS",)
    assert paths["Pay."] == ("1. Duties", "1.1 Payment in advance")
    assert paths["Text."] == ("Title",)
    assert paths["It ended in 1990."] == ("Title",)


def test_long_paragraph_is_cut_at_line_ends_so_that_places_stay_narrow(parsed):
    lines = [f"Entry {number} was written." for number in range(1, 101)]
    document = parsed("\n".join(lines), "log.txt")
    # Each line ends a sentence, so blocks hold the least number of lines: 20.
    assert [(b.place.first_line, b.place.last_line) for b in document.blocks] == [
        (1, 20), (21, 40), (41, 60), (61, 80), (81, 100),
    ]  # fmt: skip


@pytest.mark.parametrize(("content", "match"), [(b"", "zero bytes"), (b" \n\t\n", "white space")])
def test_blank_file_has_no_text(parsed, content, match):
    with pytest.raises(NoText, match=match):
        parsed(content, "a.txt")


@given(st.text(alphabet="ab .\n\t-=#|1"))
def test_plain_and_code_blocks_cover_any_text(text):
    for spans in (plain_spans, code_spans):
        try:
            check_invariants(verbatim.document("text/plain", text, spans(text)))
        except NoText:
            assert not text.strip()


# --- code ---------------------------------------------------------------------------------


def test_code_knows_the_definition_it_stands_in(parsed):
    source = (
        "import os\n\n\nclass Dog:\n    legs = 4\n\n    def bark(self):\n        return 'wau'\n\n\n"
        "def main():\n    x = 1\n\n    return x\n"
    )
    document = parsed(source, "dog.py")
    assert document.text == source
    assert document.media_type == "text/x-python"
    assert [(b.heading_path, b.place.first_line, b.place.last_line) for b in document.blocks] == [
        ((), 1, 1),
        ((), 4, 5),
        (("class Dog",), 7, 8),
        ((), 11, 12),
        (("def main()",), 14, 14),
    ]
    assert {block.kind for block in document.blocks} == {"code"}


def test_braces_keep_a_definition_open_until_the_next_one(parsed):
    source = "int add(int a) {\n  int b = 1;\n\n  return a + b;\n}\n\nint two;\n"
    document = parsed(source, "a.c")
    assert [block.heading_path for block in document.blocks] == [(), ("int add(int a)",), ()]


def test_tex_sections_are_headings(parsed):
    source = (
        "\\title{On {\\em Foxes}}\n\\begin{document}\n\\section{Where \\emph{they} live}\\label{s}\n"
        "In dens.\n\\subsection*{Dens}\nDeep ones.\n\n\\section{Food}\nMice.\n"
    )
    document = parsed(source, "fox.tex")
    assert (document.text, document.title) == (source, "On Foxes")
    paths = {document.text[b.start_char : b.end_char]: b.heading_path for b in document.blocks}
    assert paths["Deep ones."] == ("Where they live", "Dens")
    assert paths["Mice."] == ("Food",)
    assert [b.kind for b in document.blocks].count("heading") == 3


# --- JSON ---------------------------------------------------------------------------------


def test_json_keeps_its_source_with_a_block_a_member(parsed):
    source = '{\n  "name": "Ada",\n  "langs": [\n    "en"\n  ]\n}\n'
    document = parsed(source, "a.json")
    assert document.text == source
    assert [(b.place.first_line, b.place.last_line) for b in document.blocks] == [
        (1, 1), (2, 2), (3, 6),
    ]  # fmt: skip


def test_json_on_one_long_line_is_laid_out_anew(parsed):
    value = {"items": [{"id": number} for number in range(400)]}
    document = parsed(json.dumps(value), "a.json")
    assert json.loads(document.text) == value
    assert document.text.startswith('{\n  "items": [\n')


def test_cut_off_json_is_still_indexed(parsed):
    assert "half" in parsed('{"a": "half' + "x" * 3000, "a.json").text


def test_json_lines_become_a_block_a_record(parsed):
    document = parsed(
        '{"id": 7, "who": {"name": "Ada", "mail": null}, "tags": ["a", "b"]}\n\n'
        '{"id": 8, "parts": [{"n": 1}, {"n": 2}], "ok": true}\nnot json\n',
        "a.jsonl",
    )
    assert outline(document) == [
        ("table_row", "id: 7; who.name: Ada; tags: a, b"),
        ("table_row", "id: 8; parts.n: 1; parts.n: 2; ok: true"),
        ("table_row", "not json"),
    ]
    assert [block.place.first_line for block in document.blocks] == [1, 3, 4]


# --- assembling ---------------------------------------------------------------------------


def test_assembler_separates_rows_by_a_line_and_paragraphs_by_two():
    assembler = Assembler("x/y")
    assembler.heading("A", level=1)
    assembler.add("row 1", kind="table_row")
    assembler.add("row 2", kind="table_row")
    assembler.add("  ")
    assembler.add("after")
    assert assembler.document().text == "A\n\nrow 1\nrow 2\n\nafter"


def test_headings_close_those_of_their_level_and_below():
    assembler = Assembler("x/y")
    for level, title in [(1, "A"), (3, "B"), (2, "C"), (2, "D"), (1, "E")]:
        assembler.heading(title, level=level)
    assert [block.heading_path for block in assembler.document().blocks] == [
        ("A",), ("A", "B"), ("A", "C"), ("A", "D"), ("E",),
    ]  # fmt: skip


def test_overlong_heading_is_a_paragraph():
    assembler = Assembler("x/y")
    assembler.heading("word " * 100, level=1)
    assert assembler.document().blocks[0].kind == "paragraph"
    assert assembler.heading_path == ()


@pytest.mark.parametrize(
    ("title", "expected"),
    [(" A \n B", "A B"), ("", None), (None, None), ("PowerPoint Presentation", None)],
)
def test_title_is_one_line_and_no_default_of_a_program(title, expected):
    assert tidy_title(title) == expected


def test_document_comes_back_equal_from_its_packed_form():
    document = verbatim.document(
        "text/plain",
        "Ä\n\n“b”\n",
        [Span("heading", 0, 1, ("Ä",)), Span("paragraph", 3, 6, ("Ä",))],
    )
    assert unpack(pack(document)) == document


@pytest.mark.parametrize("packed", [b"{}", b"[]", b"no json", b'{"places": 1}'])
def test_damaged_packed_form_is_refused(packed):
    with pytest.raises(ValueError, match=r".+"):
        unpack(packed)


@pytest.mark.parametrize("name", ["a.docx", "a.PPTX", "a.xlsx", "a.odt", "a.epub"])
def test_package_that_is_cut_short_is_damage_and_not_to_be_unpacked(parsed, name):
    with pytest.raises(Unreadable, match="damaged"):
        parsed(b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00", name)
    with pytest.raises(UnsupportedFile, match="Unpack it"):
        parsed(b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00", "a.zip")


def test_text_under_the_name_of_a_packed_format_is_damage(parsed):
    with pytest.raises(Unreadable, match="name says ODT"):
        parsed("Not Found", "report.odt")
    assert parsed("<p>A table</p>", "report.xls").text


def test_long_files_of_lines_come_in_parts(tmp_path):
    records = [json.dumps({"n": n, "said": "words and words " * 4}) for n in range(20_000)]
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join(records), encoding="utf-8")
    parts = list(parse_parts(path, filename="long.jsonl"))
    whole = joined(parts)
    check_invariants(whole)
    assert len(parts) > 1
    assert len(whole.blocks) == len(records)
    assert whole.blocks[-1].place.first_line == len(records)


@pytest.mark.parametrize("name", ["dump.sql", "dump.md", "dump.json", "dump.py"])
def test_source_longer_than_anybody_writes_is_read_part_by_part(tmp_path, name):
    path = tmp_path / name
    line = "INSERT INTO kettles VALUES (1, 'copper', 'a kettle of copper');\n"
    path.write_text(line * (18 * (1 << 20) // len(line)), encoding="utf-8")
    parts = parse_parts(path, filename=name)
    assert len(next(parts).text) < 3 << 20
    assert next(parts).blocks[0].place.first_line > 1
