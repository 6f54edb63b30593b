"""`tools` and `tool_choice` on the wire; `file_search` is the tool that is served."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from api.answer.types import FileSearch
from api.wire.filters import Filters
from api.wire.ids import check_id
from api.wire.search import MAX_RESULTS, RankingOptions
from api.wire.validation import Closed, echo, listed, one_of, parse, wrong_type
from retrieval.errors import InvalidFilter, InvalidRequest
from retrieval.filters import parse_filter
from retrieval.types import Query

DEFAULT_TOOL_RESULTS = 20  # of the tool; the search endpoint's own is 10
SERVED: Final = ("file_search",)
MODES: Final = ("none", "auto", "required")
UNTIL_ASKED = "(question)"  # a Query needs a text before the question is known

StoreId = Annotated[str, StringConstraints(min_length=1)]


class FileSearchTool(Closed):
    """One entry of `tools`."""

    type: Literal["file_search"]
    vector_store_ids: list[StoreId] = Field(min_length=1)
    max_num_results: int | None = Field(default=None, ge=1, le=MAX_RESULTS)
    filters: Filters = None
    ranking_options: RankingOptions | None = None


class _Tools(Closed):
    """Puts one tool under its path, so that errors bear it."""

    tools: list[FileSearchTool]


def tools(given: Any) -> list[FileSearch]:
    """The tools of a request, validated; null and absent are none.

    Raises:
        InvalidRequest: a tool is malformed, or of a type that is not served.
    """
    if given is None:
        return []
    for n, tool in enumerate(given if isinstance(given, list) else []):
        if isinstance(tool, dict) and isinstance(tool.get("type"), str):
            _check_served(tool["type"], n)
    return [_search(tool, n) for n, tool in enumerate(parse(_Tools, {"tools": given}).tools)]


def _check_served(type: str, n: int) -> None:
    if type not in SERVED:
        raise InvalidRequest(
            f"Tools of type '{echo(type)}' are not served here. Served are: {listed(SERVED)}.",
            param=f"tools[{n}].type",
            code="invalid_value",
        )


def _search(tool: FileSearchTool, n: int) -> FileSearch:
    for i, store_id in enumerate(tool.vector_store_ids):
        check_id(store_id, param=f"tools[{n}].vector_store_ids[{i}]", kind="vector_store")
    options = tool.ranking_options or RankingOptions()
    limit = tool.max_num_results or DEFAULT_TOOL_RESULTS
    query = Query(
        texts=(UNTIL_ASKED,),
        filter=_filter(tool.filters, n),
        limit=limit,
        min_score=options.score_threshold or 0.0,
        ranker=options.ranker_name(),
        weights=options.weights(),
    )
    shown_options: dict[str, Any] = {
        "ranker": options.ranker or "auto",
        "score_threshold": options.score_threshold or 0.0,
    }
    if options.hybrid_search is not None:
        shown_options["hybrid_search"] = options.hybrid_search.model_dump()
    shown = {
        "type": "file_search",
        "filters": tool.filters or None,
        "max_num_results": limit,
        "ranking_options": shown_options,
        "vector_store_ids": tool.vector_store_ids,
    }
    return FileSearch(tuple(tool.vector_store_ids), query, shown)


def _filter(given: Any, n: int) -> Any:
    try:
        return parse_filter(given)
    except InvalidFilter as exc:
        path = f"tools[{n}].{exc.path}"
        raise InvalidFilter(path, exc.reason, code=exc.code or "invalid_value") from exc


def tool_choice(given: Any, offered: list[FileSearch]) -> str | dict[str, Any]:
    """`tool_choice` as it is echoed.

    Raises:
        InvalidRequest: it is malformed, or chooses a tool that is not offered.
    """
    if given is None:
        return "auto"
    if isinstance(given, str):
        mode = one_of(given, MODES, param="tool_choice")
        if mode == "required":
            _need_tool(offered)
        return mode
    if not isinstance(given, dict):
        raise wrong_type("tool_choice", expected="a string or an object", got=given)
    kind = given.get("type")
    if kind == "allowed_tools":
        return _allowed_tools(given)
    _check_chosen(kind, "tool_choice.type")
    _need_tool(offered)
    return {"type": kind}


def _need_tool(offered: list[FileSearch]) -> None:
    if not offered:
        message = "Invalid 'tool_choice': it demands a tool, but 'tools' has none to choose."
        raise InvalidRequest(message, param="tool_choice", code="invalid_value")


def _check_chosen(kind: Any, param: str) -> None:
    if kind not in SERVED:
        allowed = listed(("allowed_tools", *SERVED))
        raise InvalidRequest(
            f"Invalid value: '{echo(kind)}'. Supported values are: {allowed}.",
            param=param,
            code="invalid_value",
        )


def _allowed_tools(given: dict[str, Any]) -> dict[str, Any]:
    mode = one_of(str(given.get("mode")), ("auto", "required"), param="tool_choice.mode")
    allowed = given.get("tools")
    if not isinstance(allowed, list):
        raise wrong_type("tool_choice.tools", expected="an array of objects", got=allowed)
    for n, tool in enumerate(allowed):
        kind = tool.get("type") if isinstance(tool, dict) else tool
        _check_chosen(kind, f"tool_choice.tools[{n}].type")
    return {"type": "allowed_tools", "mode": mode, "tools": allowed}


def chosen(choice: str | dict[str, Any], offered: list[FileSearch]) -> tuple[FileSearch, ...]:
    """The searches to run. `auto` always searches: sources come first, the model after."""
    if choice == "none":
        return ()
    if isinstance(choice, dict) and choice["type"] == "allowed_tools" and not choice["tools"]:
        return ()
    return tuple(offered)
