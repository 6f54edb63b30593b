import json

import pytest
from document_checks import outline

from retrieval.errors import NoText
from retrieval.types import Place


def test_rst_levels_follow_the_order_of_styles(parsed):
    text = (
        "=====\nTitle\n=====\n\nIntro.\n\nPart\n====\n\nText.\n\nSub\n---\n\n- item\n\nNext\n====\n"
        "\nA table:\n\n==== ====\na    b\n==== ====\n"
    )
    document = parsed(text, "a.rst")
    assert document.text == text
    assert document.title == "Title"
    paths = [block.heading_path for block in document.blocks if block.kind == "heading"]
    assert paths == [("Title",), ("Title", "Part"), ("Title", "Part", "Sub"), ("Title", "Next")]
    assert ("list_item", "- item") in outline(document)
    assert document.blocks[2].place == Place(first_line=7, last_line=8)


def test_asciidoc_and_org_headings_stand_outside_of_fences(parsed):
    asciidoc = "= Book\n\n== Part\n\nText.\n\n----\n== no heading\n----\n\nEnd.\n"
    document = parsed(asciidoc, "a.adoc")
    assert [kind for kind, _ in outline(document)] == [
        "heading", "heading", "paragraph", "code", "paragraph",
    ]  # fmt: skip
    assert document.blocks[-1].heading_path == ("Book", "Part")
    org = (
        "#+TITLE: My Notes\n\n* TODO Call Ann :phone:\n\nText.\n\n#+begin_src py\n* x\n#+end_src\n"
    )
    document = parsed(org, "a.org")
    assert document.title == "My Notes"
    assert document.blocks[-1].heading_path == ("Call Ann",)
    assert document.blocks[-1].kind == "code"


def test_yaml_and_toml_keep_their_source_in_sections(parsed):
    text = "# of the cup\nname: Blues\nwins:\n  - 1\n  - 2\n\n# last\nend: true\n"
    document = parsed(text, "a.yml")
    assert document.text == text
    assert [text for _, text in outline(document)] == [
        "# of the cup\nname: Blues",
        "wins:\n  - 1\n  - 2",
        "# last\nend: true",
    ]
    assert document.blocks[1].place == Place(first_line=3, last_line=5)
    toml = 'title = "x"\n\n[server]\nport = 1\n'
    assert [text for _, text in outline(parsed(toml, "a.toml"))] == [
        'title = "x"',
        "[server]\nport = 1",
    ]


def test_xml_records_are_lines_and_prose_is_paragraphs(parsed):
    text = """<?xml version="1.0" encoding="UTF-8"?>
<book id="b1"><title>Cups &amp; more</title>
<section><title>Teams</title>
<para>The <emph>Blues</emph> won &#8364;5.</para>
<team founded="1905"><name>Blues</name><cups>1</cups></team>
<note/></section></book>"""
    document = parsed(text, "a.xml")
    assert outline(document) == [
        ("heading", "Cups & more"),
        ("heading", "Teams"),
        ("paragraph", "The Blues won €5."),
        ("table_row", "founded: 1905; name: Blues; cups: 1"),
    ]
    assert document.title == "Cups & more"
    assert document.blocks[3].heading_path == ("Cups & more", "Teams")
    assert document.blocks[3].place == Place(first_line=5, last_line=5)


def test_xml_in_other_encodings_and_with_pages_inside(parsed):
    wide = '<?xml version="1.0" encoding="UTF-16"?><a><b>Köln</b></a>'.encode("utf-16")
    assert parsed(wide, "a.xml").text == "b: Köln"
    feed = "<rss><item><title>News</title><description><![CDATA[<p>It <b>came</b>.</p>]]>"
    document = parsed(feed + "</description></item></rss>", "a.rss")
    assert document.text == "News\n\nIt came."
    page = "<?xml version='1.0'?><html xmlns='x'><body><h1>A</h1><p>b</p></body></html>"
    assert parsed(page, "a.xml").text == "A\n\nb"


def test_what_is_no_xml_is_text(parsed):
    assert parsed("<a>text <b>more</a>", "a.xml").text == "<a>text <b>more</a>"
    with pytest.raises(NoText):
        parsed("<a><b/></a>", "a.xml")


def notebook(*cells: dict, **metadata: object) -> str:
    return json.dumps({"cells": list(cells), "metadata": metadata, "nbformat": 4})


def test_notebook_cells_with_language_and_outputs(parsed):
    content = notebook(
        {"cell_type": "markdown", "source": ["# Cups\n", "\n", "Some *prose*.\n", "\n", "- item"]},
        {
            "cell_type": "code",
            "source": "print(1)\n",
            "outputs": [
                {"output_type": "stream", "text": ["1\n", "2\n"]},
                {"output_type": "execute_result", "data": {
                    "text/plain": "  a b", "text/html": "<table><tr><th>Team</th><th>Cups</th></tr>"
                    "<tr><td>Blues</td><td>1</td></tr></table>"}},
                {"output_type": "display_data", "data": {"image/png": "AAAA"}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no cups"},
            ],
        },
        {"cell_type": "raw", "source": "raw text"},
        {"cell_type": "markdown", "source": "## Deep"},
        language_info={"name": "python"},
    )  # fmt: skip
    document = parsed(content, "a.ipynb")
    assert outline(document) == [
        ("heading", "Cups"),
        ("paragraph", "Some *prose*."),
        ("list_item", "- item"),
        ("code", "```python\nprint(1)\n```"),
        ("other", "1\n2"),
        ("table_row", "Team; Cups"),
        ("table_row", "Team: Blues; Cups: 1"),
        ("other", "ValueError: no cups"),
        ("paragraph", "raw text"),
        ("heading", "Deep"),
    ]
    assert document.blocks[-1].heading_path == ("Cups", "Deep")
    assert document.title == "Cups"


def test_old_and_broken_notebooks(parsed):
    old = {"worksheets": [{"cells": [
        {"cell_type": "heading", "level": 2, "source": "Old"},
        {"cell_type": "code", "input": "x = 1", "outputs": [{"text": "1"}]},
    ]}]}  # fmt: skip
    assert parsed(json.dumps(old), "a.ipynb").text == "Old\n\n```\nx = 1\n```\n\n1"
    assert parsed('{"cells": 3}', "a.ipynb").text == '{"cells": 3}'
    with pytest.raises(NoText):
        parsed(notebook({"cell_type": "code", "source": "", "outputs": []}), "a.ipynb")
