"""The library's door to answers: one question, no protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from api.answer.conversation import message_text
from api.answer.models import default_model
from api.answer.prepare import prepare
from api.answer.respond import Run
from api.answer.types import Answer, Extension, FileSearch, ResponseRequest
from retrieval.filters import Filter
from retrieval.ids import new_id
from retrieval.queries import Query

if TYPE_CHECKING:
    from api.engine import Engine

DEFAULT_HITS = 20


def ask(
    engine: Engine,
    question: str,
    store_ids: Sequence[str],
    *,
    model: str | None = None,
    filter: Filter | None = None,
    limit: int = DEFAULT_HITS,
) -> Answer:
    """Answer a question from the files of vector stores; nothing is stored.

    Args:
        engine: an open one.
        question: as a person would put it.
        store_ids: vector stores to search, by id.
        model: by default the configured language model, or else `extractive`.
        filter: which files may be used, from `retrieval.filters.parse_filter`.
        limit: chunks to consider, 1-50.

    Raises:
        InvalidRequest: the question is blank, or there is no such model.
        NotFound: no such vector store.
        ModelUnavailable: the language model cannot be reached.
    """
    part = {"type": "input_text", "text": question}
    item = {"id": new_id("message"), "type": "message", "role": "user", "content": [part]}
    request = ResponseRequest(
        model=model or default_model(engine),
        input_items=(item,),
        searches=(
            FileSearch(tuple(store_ids), Query(texts=(question,), filter=filter, limit=limit), {}),
        ),
        store=False,
        extension=Extension(places=True),
    )
    run = Run(engine, prepare(engine, request))
    for _event in run.events():
        pass
    if run.error is not None:
        raise run.error
    cited = sorted(run.cited, key=lambda each: each.index)
    return Answer(
        text=message_text(run.body["output"][-1]),
        citations=tuple(citation for each in cited for citation in each.citations),
        hits=run.hits,
    )
