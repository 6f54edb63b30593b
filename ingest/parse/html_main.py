"""Which part of a web page is its own text, and which comes with every page of the site."""

from __future__ import annotations

import re

from lxml import etree

_NEVER = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "iframe",
        "object",
        "embed",
        "canvas",
        "audio",
        "video",
        "map",
        "nav",
        "aside",
        "button",
        "select",
        "input",
        "textarea",
        "dialog",
        "menu",
    ]
)
_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "complementary", "menu",
                    "menubar", "dialog", "alert", "toolbar"})  # fmt: skip
# Names that site builders give to such parts, as whole words of class or id.
_NAMES = re.compile(
    r"(?i)(?:^|[\s_-])(?:nav|navbar|navbox|navigation|menu|sidebar|breadcrumbs?|cookies?|consent|"
    r"footer|masthead|share|sharing|social|advert|ads?|promo|newsletter|subscribe|pagination|"
    r"pager|skip|toolbar|popup|modal|noprint|editsection|jump-link)(?:$|[\s_-])"
)
_GROUPS = frozenset({"div", "section", "ul", "ol", "table", "td", "p", "span"})
_MIN_SHARE = 0.3  # of the page's text: less, and <main> is not where the text is
_LINKED = 0.75  # share of a list's text inside links that makes it a menu
_MIN_LINKS = 4
_LINK_CHARS = 40  # links of menus are short; titles in a list of articles are not


def main_element(root: etree._Element) -> etree._Element:
    """Return the element that holds the page's own text: <main>, a lone <article>, or <body>."""
    body = root.find("body")
    body = root if body is None else body
    whole = _length(body)
    candidates = [*root.iter("main"), *root.xpath('//*[@role="main"]')]
    articles = list(root.iter("article"))
    candidates += articles if len(articles) == 1 else []
    for candidate in candidates:
        if _length(candidate) > _MIN_SHARE * whole:
            return candidate
    return body


def is_boilerplate(element: etree._Element) -> bool:
    """Tell whether an element belongs to the site rather than to the page."""
    tag = str(element.tag)
    if tag in _NEVER or element.get("role") in _ROLES:
        return True
    if element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    if "display:none" in (element.get("style") or "").replace(" ", ""):
        return True
    if tag in {"header", "footer"}:
        return next(element.iterancestors("article", "main", "section"), None) is None
    return tag in _GROUPS and (_is_named(element) or _is_menu(element, tag))


def _is_named(element: etree._Element) -> bool:
    """Named like a menu, and not half of the page."""
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    if not _NAMES.search(names):
        return False
    return _length(element) < 0.5 * _length(element.getroottree().getroot())


def _is_menu(element: etree._Element, tag: str) -> bool:
    """A list of short links that is not part of running text."""
    if (
        tag not in {"ul", "ol", "div"}
        or next(element.iterdescendants("p", "h1", "h2", "table"), None) is not None
    ):
        return False
    links = ["".join(link.itertext()).strip() for link in element.iterdescendants("a")]
    links = [link for link in links if link]
    if len(links) < _MIN_LINKS:
        return False
    linked = sum(map(len, links))
    return linked > _LINKED * _length(element) and linked < _LINK_CHARS * len(links)


def _length(element: etree._Element) -> int:
    """Characters of text, white space not counted."""
    return sum(
        len("".join(text.split()))
        for inner in element.iter()
        if isinstance(inner.tag, str) and inner.tag not in {"script", "style"}
        for text in (inner.text or "", inner.tail or "" if inner is not element else "")
    )
