"""Arguments that are text: a command line may hold any bytes."""

from __future__ import annotations

from typing import Any

import click

from api.printing import fail


class Text(click.ParamType[str]):
    """Text that can be stored; bytes that are not UTF-8 are refused in one line."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The argument as it is."""
        text = str(value)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            shown = param.get_error_hint(ctx) if param and ctx else "An argument"
            fail(f"{shown}: {text!a} is not UTF-8 text.")
        return text


TEXT = Text()
