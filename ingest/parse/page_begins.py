"""Told before each page that is recognised, which may take as long as a whole file of text.

The process that parses sets it, so that the limit on time counts from there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

page_begins: ContextVar[Callable[[], None] | None] = ContextVar("page_begins", default=None)
