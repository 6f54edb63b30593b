"""Source code: a block a definition, or a run of lines between blank ones.

One set of rules for all languages: definitions are told by their keywords or by the look of a
signature, and what is inside them by indentation, which nearly all code has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ingest.decode import decode
from ingest.parse import verbatim
from ingest.parse.verbatim import Span
from retrieval.types import Document

_LINE = re.compile(r"[^\n]*\n?")
_MODIFIERS = (  # that may stand before the word which tells a definition
    r"(?:(?:public|private|protected|internal|static|final|abstract|sealed|export|default|declare"
    r"|async|pub(?:\([\w\s]*\))?|unsafe|extern|const|inline|virtual|override|open|data|case"
    r"|partial|readonly|typedef|local|suspend|implicit|friend|constexpr|annotation|strictfp"
    r"|template\s*<[^<>]*>|type\s+[\w\[\]]+|\"C\"|@\w+)\s+)*"
)
_SCOPE = re.compile(
    rf"{_MODIFIERS}(?:class|struct|interface|trait|impl|enum|union|module|namespace|object"
    r"|protocol|extension|record|contract|service|message|defmodule)\b(?!\s*\{\s*\})"
    r"(?=\s*[{<]|\s+[\w$:\"(*&~\[]|\s*$)(?:[^;=(]++|\([^)]*+\)?+)*+$"
)
_KEYWORD = re.compile(
    rf"{_MODIFIERS}(?:def|defp|func|fun|fn|function\*?|sub|proc|type)\b(?=\s+[\w$(*&~\[])[^\n]*"
    r"|create\s+(?:or\s+replace\s+)?(?:table|view|function|procedure|trigger|index)\b[^\n]*"
    r"|(?:export\s+)?(?:default\s+)?(?:const|let|var)\s+[\w$]+\s*(?::[^=]+)?=\s*(?:async\s+)?"
    r"(?:function\b|\([^()]*\)\s*(?::[^=]+)?=>|[\w$]+\s*=>)[^\n]*",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(  # of C and its children: name, arguments, and at most a body of one line
    r"[~A-Za-z_$][\w$<>,:*&?\[\] \t.~]*\([^;{}]*\)[^;{}=]*(?:\{[^{}]*\}?)?$"
)
_MULTILINE = re.compile(r"[A-Za-z_][\w<>:*& \t]*[\s*&][~\w:]+\([^;(){}]*,\s*$")
_RULE = re.compile(r"[^\s@(){};/][^(){};]*\{[^{}]*$|@[\w-]+[^{};]*\{\s*$")  # of a style sheet
_NO_DEFINITION = re.compile(
    r"(?:if|else|elif|elsif|for|foreach|while|until|switch|case|catch|try|do|return|with|when|match"
    r"|unless|using|lock|synchronized|assert|throw|raise|new|await|yield|print|import|from|echo)\b"
)
_ABOVE = re.compile(  # comments, decorators, parameters of a template
    r"(?:#|//|/\*|\*|--|@|\[|;;|%|<!--|template\s*<[^;{]*>$)"
)
_CLOSING = re.compile(
    r"[\])}{]|(?:end|fi|done|esac|else|elif|elsif|except|rescue|finally|catch)\b"
)
_NAME_CHARS = 100
_MAX_CHARS = 400  # of a definition's first line; longer ones are made by machines
_MAX_DEPTH = 3
_TAB = 4
_STYLE_TYPES = frozenset({"text/css"})


class _Line(NamedTuple):
    start: int
    end: int
    indent: int  # columns
    text: str  # without white space at its ends


class _Scope(NamedTuple):
    indent: int
    title: str
    is_scope: bool  # holds definitions of its own, as a class does


def read(path: Path, media_type: str) -> Document:
    """Parse source code; the text is the source as it is.

    What is inside a definition has its first line as heading, below that of the class it is in.

    Raises:
        NoText, Unreadable: the file is blank, or not text.
    """
    text = decode(path.read_bytes())
    return verbatim.document(media_type, text, _spans(text, is_style=media_type in _STYLE_TYPES))


def _spans(text: str, *, is_style: bool = False) -> Iterator[Span]:
    lines = list(_lines(text))
    borders = _borders(lines, is_style=is_style)
    definitions = frozenset(borders.values())
    inside: list[_Scope] = []
    run: list[_Line] = []
    path: tuple[str, ...] = ()
    for number, line in enumerate(lines):
        if run and (not line.text or number in borders):
            yield Span("code", run[0].start, run[-1].end, path)
            run = []
        if not line.text:
            continue
        _leave(inside, line)
        if not run:
            path = tuple(scope.title for scope in inside)
        run.append(line)
        if number in definitions:
            _enter(inside, line)
    if run:
        yield Span("code", run[0].start, run[-1].end, path)


def _lines(text: str) -> Iterator[_Line]:
    for found in _LINE.finditer(text):
        raw = found.group()
        body = raw.strip()
        margin = raw[: len(raw) - len(raw.lstrip())].expandtabs(_TAB) if body else ""
        yield _Line(found.start(), found.end(), len(margin), body)


def _borders(lines: Sequence[_Line], *, is_style: bool) -> dict[int, int]:
    """Where each definition's block begins, with what is written above it → its first line."""
    borders: dict[int, int] = {}
    scopes: list[_Scope] = []
    for number, line in enumerate(lines):
        if not line.text:
            continue
        _leave(scopes, line)
        if not _defines(lines, number, scopes, is_style=is_style):
            continue
        first = number
        while (
            first
            and lines[first - 1].indent == line.indent
            and _ABOVE.match(lines[first - 1].text)
        ):
            first -= 1
        borders[first] = number
        _enter(scopes, line)
    return borders


def _defines(
    lines: Sequence[_Line], number: int, scopes: Sequence[_Scope], *, is_style: bool
) -> bool:
    """Tell whether a line begins a definition worth a block of its own."""
    line = lines[number]
    if len(scopes) >= _MAX_DEPTH or len(line.text) > _MAX_CHARS:
        return False
    if is_style:
        return bool(_RULE.match(line.text))
    if _ABOVE.match(line.text) or _NO_DEFINITION.match(line.text):
        return False
    if _SCOPE.match(line.text) or _KEYWORD.match(line.text):
        return True
    in_reach = not line.indent or (scopes and scopes[-1].is_scope)  # deeper it may be a call
    return bool(in_reach and _is_signature(lines, number))


def _is_signature(lines: Sequence[_Line], number: int) -> bool:
    text = lines[number].text
    opens = text.endswith(("{", "}")) or _next_text(lines, number).startswith("{")
    return bool(_MULTILINE.match(text) or (opens and _SIGNATURE.match(text)))


def _next_text(lines: Sequence[_Line], number: int) -> str:
    return lines[number + 1].text if number + 1 < len(lines) else ""


def _leave(scopes: list[_Scope], line: _Line) -> None:
    """Close what ends before `line`; a closing bracket belongs to what it closes."""
    while scopes and line.indent <= scopes[-1].indent and not _CLOSING.match(line.text):
        scopes.pop()


def _enter(scopes: list[_Scope], line: _Line) -> None:
    title = line.text.rstrip("{:( ").strip()[:_NAME_CHARS]
    scopes.append(_Scope(line.indent, title, bool(_SCOPE.match(line.text))))
