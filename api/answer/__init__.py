"""Answers with citations: create → search → model → cited text.

Reading order: `types.py`, `respond.py` (the path of one response), then the two models:
`extractive.py` with `select.py` and `evidence.py`, and `llm.py` with `prompt.py`,
`markers.py`, `claims.py` and `align.py`. `output.py`, `events.py` and `view.py` are shapes.
"""

from api.answer.ask import ask
from api.answer.types import Answer

__all__ = ["Answer", "ask"]
