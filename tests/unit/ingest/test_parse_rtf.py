import pytest
from document_checks import outline

from retrieval.errors import NoText


def rtf(body: str, head: str = r"\ansi\ansicpg1252\deff0") -> bytes:
    return (r"{\rtf1" + head + "\n" + body + "}").encode("latin-1")


def test_headings_lists_notes_and_hidden_destinations(parsed):
    body = r"""{\fonttbl{\f0 Times;}}{\colortbl;\red0;}
{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s2 heading 2;}{\*\cs10 Char;}}
{\info{\title The Foxes}{\author nobody}}
{\header Draft\par}
\pard\s1 Foxes\par
\pard\s0 Red {\b fox} runs\~far.{\footnote Not always.}\par
\pard\s2 Food\par
{\pntext\'95\tab}\pard\ls1 Mice\par
\pard{\pict 0102abcd}{\*\unknown hidden}{\field{\*\fldinst HYPERLINK "x"}{\fldrslt linked}}\par"""
    document = parsed(rtf(body), "a.rtf")
    assert document.title == "The Foxes"
    assert outline(document) == [
        ("heading", "Foxes"),
        ("other", "Not always."),
        ("paragraph", "Red fox runs\xa0far."),
        ("heading", "Food"),
        ("list_item", "Mice"),
        ("paragraph", "linked"),
        ("other", "Draft"),
    ]
    assert document.blocks[4].heading_path == ("Foxes", "Food")


def test_table_rows_carry_their_header(parsed):
    row = r"\trowd\pard\intbl {0}\cell {1}\cell\row "
    body = "".join(row.format(*cells) for cells in [("Team", "Cups"), ("Blues", "1")])
    document = parsed(rtf(body + r"\pard After.\par"), "a.rtf")
    assert document.text == "Team; Cups\nTeam: Blues; Cups: 1\n\nAfter."


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"caf\'e9 \u8364?", "café €"),
        (r"{\uc2\u8364ab}c", "€c"),
        (r"{\uc0\u-10179\u-8704} x", "😀 x"),
        (r"\u-10240? x", "\ufffd x"),
        (r"{\fonttbl{\f0 A;}{\f1\fcharset238 B;}}{\f1 \'bfó\'f3}", "żóó"),
        (r"{\fonttbl{\f1\fcharset128 B;}}{\f1 \'82\'b1\'82\'f1}", "こん"),
        (r"a\_b\-c\emdash d\{\}", "a-bc—d{}"),
        ("\\bin3 }}}x", "x"),
        (r"shown{\v hidden} again", "shown again"),
    ],
)
def test_characters(parsed, body, text):
    assert parsed(rtf(body), "a.rtf").text == text


def test_code_page_of_the_file(parsed):
    body = r"\'cf\'f0\'e8\'e2\'e5\'f2"
    assert parsed(rtf(body, r"\ansi\ansicpg1251"), "a.rtf").text == "Привет"


@pytest.mark.parametrize("content", [rb"{\rtf1 text", rb"{\rtf1 text}}}}}", rb"{\rtf1 te\xt}text"])
def test_braces_that_do_not_match_lose_no_text(parsed, content):
    assert "te" in parsed(content, "a.rtf").text


def test_deep_groups_do_not_matter(parsed):
    assert parsed(rtf("{" * 50_000 + "text"), "a.rtf").text == "text"


def test_blank_file_has_no_text(parsed):
    with pytest.raises(NoText):
        parsed(rtf(r"{\pict 00}\par\par"), "a.rtf")
