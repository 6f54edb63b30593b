from document_checks import check_invariants, outline
from hypothesis import given
from hypothesis import strategies as st

from ingest.parse import verbatim
from ingest.parse.markdown import _Scan
from retrieval.errors import NoText
from retrieval.types import Place

SOURCE = """---
title: "A guide"
tags: [a]
---

# Setup #

Install it
first.

## With `pip`, [quickly](https://x.y)

- one
  goes on
- two
1. three

| Key | Value |
|-----|-------|
| a | 1 |

```python
# no heading

x = 1
```

Old style
---------

> quoted

***
Name | Age
--- | ---
Bob | 5
"""


def test_markdown_blocks_in_order(parsed):
    document = parsed(SOURCE, "guide.md")
    assert document.text == SOURCE
    assert document.title == "A guide"
    assert outline(document) == [
        ("other", '---\ntitle: "A guide"\ntags: [a]\n---'),
        ("heading", "# Setup #"),
        ("paragraph", "Install it\nfirst."),
        ("heading", "## With `pip`, [quickly](https://x.y)"),
        ("list_item", "- one\n  goes on"),
        ("list_item", "- two"),
        ("list_item", "1. three"),
        ("table_row", "| Key | Value |"),
        ("table_row", "|-----|-------|"),
        ("table_row", "| a | 1 |"),
        ("code", "```python\n# no heading\n\nx = 1\n```"),
        ("heading", "Old style\n---------"),
        ("paragraph", "> quoted"),
        ("paragraph", "***\nName | Age\n--- | ---\nBob | 5"),
    ]


def test_heading_path_is_without_markup_and_lines_are_counted(parsed):
    blocks = parsed(SOURCE, "guide.md").blocks
    assert blocks[4].heading_path == ("Setup", "With pip, quickly")
    assert blocks[4].place == Place(first_line=13, last_line=14)
    assert blocks[11].heading_path == ("Setup", "Old style")
    assert blocks[10].place == Place(first_line=22, last_line=26)


def test_title_is_the_first_heading_without_front_matter(parsed):
    assert parsed("intro\n\n# Main *point*\n", "a.md").title == "Main point"


def test_a_heading_without_words_is_no_title(parsed):
    assert parsed("#\n\n# Main\n", "a.md").title == "Main"
    assert parsed("#", "a.md").text == "#"


def test_fence_without_end_runs_to_the_end(parsed):
    assert outline(parsed("a\n\n~~~\n# x\n\ny\n", "a.md"))[1] == ("code", "~~~\n# x\n\ny")


def test_hash_without_blank_is_no_heading(parsed):
    assert outline(parsed("#hashtag\n", "a.md")) == [("paragraph", "#hashtag")]


@given(st.text(alphabet="a #-=`~|>1.*\n", max_size=80))
def test_markdown_blocks_cover_any_text(text):
    try:
        check_invariants(verbatim.document("text/markdown", text, _Scan(text).spans()))
    except NoText:
        assert not text.strip()
