"""`tools` and `tool_choice` on the wire: `file_search`, and functions that the client runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from api.answer.types import Choice, FileSearch, Item
from api.wire.filters import Filters
from api.wire.ids import check_id
from api.wire.search import MAX_RESULTS, RankingOptions
from api.wire.validation import Closed, echo, listed, missing, one_of, parse, wrong_type
from retrieval.errors import InvalidFilter, InvalidRequest
from retrieval.filters import parse_filter
from retrieval.queries import Query

DEFAULT_TOOL_RESULTS = 20  # of the tool; the search endpoint's own is 10
SERVED: Final = ("file_search", "function")
MODES: Final = ("none", "auto", "required")
UNTIL_ASKED = "(question)"  # a Query needs a text before the question is known

FunctionName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
StoreId = Annotated[str, StringConstraints(min_length=1)]


class FileSearchTool(Closed):
    """One entry of `tools`."""

    type: Literal["file_search"]
    vector_store_ids: list[StoreId] = Field(min_length=1)
    max_num_results: int | None = Field(default=None, ge=1, le=MAX_RESULTS)
    filters: Filters = None
    ranking_options: RankingOptions | None = None


class FunctionTool(Closed):
    """A function that the client runs."""

    type: Literal["function"]
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def shown(self) -> Item:
        """As the response repeats it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "strict": self.strict is not False,
        }


class _Tools(Closed):
    """Puts one tool under its path, so that errors bear it."""

    tools: list[Annotated[FileSearchTool | FunctionTool, Field(discriminator="type")]]


@dataclass(frozen=True, slots=True)
class Offered:
    """The tools of a request, or those of them that may run."""

    searches: tuple[FileSearch, ...] = ()
    functions: tuple[Item, ...] = ()
    echo: tuple[Item, ...] = ()  # all of them as the response shows them, in the given order


def tools(given: Any) -> Offered:
    """The tools of a request, validated; null and absent are none.

    Raises:
        InvalidRequest: a tool is malformed, or of a type that is not served.
    """
    if given is None:
        return Offered()
    for n, tool in enumerate(given if isinstance(given, list) else []):
        if isinstance(tool, dict) and isinstance(tool.get("type"), str):
            _check_served(tool["type"], n)
    searches: list[FileSearch] = []
    functions: list[Item] = []
    shown: list[Item] = []
    for n, tool in enumerate(_parsed(given)):
        if isinstance(tool, FunctionTool):
            functions.append(tool.shown())
            shown.append(functions[-1])
        else:
            searches.append(_search(tool, n))
            shown.append(dict(searches[-1].echo))
    _check_names(functions)
    return Offered(tuple(searches), tuple(functions), tuple(shown))


def _parsed(given: Any) -> list[FileSearchTool | FunctionTool]:
    try:
        return parse(_Tools, {"tools": given}).tools
    except InvalidRequest as exc:
        # The discriminator shows in pydantic's locations: `tools[0].file_search.filters`.
        for kind in SERVED:
            wrong, right = f"].{kind}.", "]."
            if exc.param and wrong in exc.param:
                message = str(exc).replace(wrong, right)
                param = exc.param.replace(wrong, right)
                raise InvalidRequest(message, param=param, code=exc.code) from exc
        raise


def _check_names(functions: Sequence[Item]) -> None:
    names = [function["name"] for function in functions]
    for n, name in enumerate(names):
        if name == "file_search" or name in names[:n]:
            reason = "is the name of a tool of ours" if name == "file_search" else "is there twice"
            message = f"Invalid 'tools': the function name '{name}' {reason}."
            raise InvalidRequest(message, param="tools", code="invalid_value")


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


def tool_choice(given: Any, offered: Offered) -> str | Item:
    """`tool_choice` as it is echoed.

    Raises:
        InvalidRequest: it is malformed, or chooses a tool that is not offered.
    """
    if given is None:
        return "auto"
    if isinstance(given, str):
        mode = one_of(given, MODES, param="tool_choice")
        if mode == "required":
            _need(bool(offered.echo))
        return mode
    if not isinstance(given, dict):
        raise wrong_type("tool_choice", expected="a string or an object", got=given)
    if given.get("type") == "allowed_tools":
        return _allowed_tools(given, offered)
    return _named(given, offered, path="tool_choice", others=("allowed_tools",))


def _need(is_there: bool) -> None:  # noqa: FBT001 - one fact
    if not is_there:
        message = "Invalid 'tool_choice': it demands a tool that 'tools' does not have."
        raise InvalidRequest(message, param="tool_choice", code="invalid_value")


def _named(given: Any, offered: Offered, *, path: str, others: Sequence[str] = ()) -> Item:
    """A tool by its type and, for functions, its name."""
    if not isinstance(given, dict):
        raise wrong_type(path, expected="an object", got=given)
    kind = one_of(str(given.get("type")), (*others, *SERVED), param=f"{path}.type")
    if kind == "file_search":
        _need(bool(offered.searches))
        return {"type": kind}
    name = given.get("name")
    if not isinstance(name, str):
        raise missing(f"{path}.name")
    _need(name in {function["name"] for function in offered.functions})
    return {"type": kind, "name": name}


def _allowed_tools(given: Item, offered: Offered) -> Item:
    mode = one_of(str(given.get("mode")), ("auto", "required"), param="tool_choice.mode")
    allowed = given.get("tools")
    if not isinstance(allowed, list):
        raise wrong_type("tool_choice.tools", expected="an array of objects", got=allowed)
    named = [
        _named(tool, offered, path=f"tool_choice.tools[{n}]") for n, tool in enumerate(allowed)
    ]
    return {"type": "allowed_tools", "mode": mode, "tools": named}


def chosen(choice: str | Item, offered: Offered) -> tuple[Offered, Choice]:
    """The tools that may run, and whether one must."""
    if choice == "none":
        return Offered(), Choice()
    if isinstance(choice, str):
        return offered, Choice(required=choice == "required")
    if choice["type"] == "function":
        return _only(offered, [choice]), Choice(required=True, function=choice["name"])
    if choice["type"] == "file_search":
        return Offered(searches=offered.searches), Choice(required=True)
    return _only(offered, choice["tools"]), Choice(required=choice["mode"] == "required")


def _only(offered: Offered, allowed: Sequence[Item]) -> Offered:
    names = {tool.get("name") for tool in allowed}
    may_search = any(tool["type"] == "file_search" for tool in allowed)
    functions = tuple(each for each in offered.functions if each["name"] in names)
    return Offered(offered.searches if may_search else (), functions)
