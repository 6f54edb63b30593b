import pytest
from document_checks import outline

from retrieval.errors import NoText

PAGE = """<!DOCTYPE html>
<html><head><title>Bread - The Kitchen Site</title><style>p { color: red }</style>
<script>var x = "not text";</script></head>
<body>
<header><a href="/">The Kitchen Site</a></header>
<nav><ul><li><a href="/a">Soups</a></li><li><a href="/b">Cakes</a></li></ul></nav>
<div class="sidebar">Ten more recipes</div>
<main>
<h1>Bread</h1>
<p>Bread is <b>baked</b> from
   flour<br>and water&nbsp;&amp; salt.</p>
<h2>What you <em>need</em></h2>
<ul><li>Flour <i>(white)</i><ul><li>500 g</li></ul></li><li>Water</li></ul>
<table><caption>Times</caption>
<tr><th>Kind</th><th>Minutes</th></tr>
<tr><td>Rolls</td><td>20</td></tr>
<tr><td rowspan=2>Loaf</td><td>45</td></tr>
<tr><td>50</td></tr>
</table>
<h2>How</h2>
Knead.<p>Bake.
<pre>oven  --heat
  220</pre>
<p hidden>secret</p><p style="display: none">secret</p>
</main>
<footer>Imprint</footer>
</body></html>"""


def test_page_is_its_main_text_without_the_site_around_it(parsed):
    document = parsed(PAGE, "bread.html")
    assert document.title == "Bread - The Kitchen Site"
    assert outline(document) == [
        ("heading", "Bread"),
        ("paragraph", "Bread is baked from flour and water & salt."),
        ("heading", "What you need"),
        ("list_item", "Flour (white)"),
        ("list_item", "500 g"),
        ("list_item", "Water"),
        ("paragraph", "Times"),
        ("table_row", "Kind; Minutes"),
        ("table_row", "Kind: Rolls; Minutes: 20"),
        ("table_row", "Kind: Loaf; Minutes: 45"),
        ("table_row", "Kind: Loaf; Minutes: 50"),
        ("heading", "How"),
        ("paragraph", "Knead."),
        ("paragraph", "Bake."),
        ("code", "oven  --heat\n  220"),
    ]
    assert document.blocks[-1].heading_path == ("Bread", "How")


def test_title_that_no_heading_repeats_heads_the_page(parsed):
    document = parsed("<title>Opening hours</title><h1>Welcome</h1><p>Daily 9-5", "a.html")
    assert document.blocks[-1].heading_path == ("Opening hours", "Welcome")


def test_menu_of_short_links_is_left_out_but_a_list_of_articles_is_not(parsed):
    menu = "".join(f"<li><a href='{n}'>Item {n}</a></li>" for n in range(6))
    articles = "".join(
        f"<li><a href='{n}'>A long headline about event number {n} of this year</a></li>"
        for n in range(6)
    )
    text = parsed(f"<body><ul>{menu}</ul><p>Text.</p><ul>{articles}</ul>", "a.html").text
    assert "Item 3" not in text
    assert "event number 3" in text


def test_page_that_is_nothing_but_a_menu_keeps_it(parsed):
    text = parsed("<html><body><nav><a href=x>Soups</a></nav></body></html>", "a.html").text
    assert text == "Soups"


def test_layout_table_reads_as_text(parsed):
    cell = "A sentence of the article. " * 30
    document = parsed(f"<table><tr><td>menu</td><td><p>{cell}</p></td></tr></table>", "a.html")
    assert [kind for kind, _ in outline(document)] == ["paragraph", "paragraph"]


@pytest.mark.parametrize(
    ("source", "encoding"),
    [
        ('<meta charset="iso-8859-2"><p>Zażółć gęślą</p>', "iso-8859-2"),
        (
            '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>Привет</p>',
            "cp1251",
        ),
        ('<meta charset="latin-1"><p>Привет</p>', "utf-8"),  # what it says of itself is wrong
        ("<html><p>Größe</p></html>", "cp1252"),
        ("<html><p>Größe</p></html>", "utf-16"),
    ],
)
def test_encoding_of_a_page(parsed, source, encoding):
    expected = source.split("<p>")[1].split("</p>")[0]
    assert parsed(source.encode(encoding), "a.html").text == expected


def test_page_without_text_says_what_to_do(parsed):
    with pytest.raises(NoText, match="save the page from a browser"):
        parsed("<html><body><script>render()</script></body></html>", "a.html")


def test_deeply_nested_page_is_read_to_the_bottom(parsed):
    assert "deep" in parsed("<html>" + "<div>" * 3000 + "deep", "a.html").text


def test_lone_surrogates_and_control_characters_do_not_come_through(parsed):
    assert parsed("<html><p>a&#xD800;b&#0;c</p></html>", "a.html").text.startswith("a")
