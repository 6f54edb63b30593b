"""Which Chat Completions server has which model: the one of the settings, and those of a file.

[[server]]
models = ["llama3.2", "qwen2.5:*"]   # names; one that ends in * stands for all that begin so
base_url = "http://127.0.0.1:11434/v1"
api_key_variable = "OLLAMA_KEY"      # or api_key; both optional
timeout_s = 300                      # this and what follows: optional, else from the settings
context_tokens = 8192
retrieval = "forced"
served_as = "llama3.2:3b-instruct"   # what the server calls it, if `models` is one other name
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast, get_args

from api.settings import Retrieval, Settings, variable
from retrieval.errors import InvalidRequest

if TYPE_CHECKING:
    from api.answer.chat import Server

LIST_TIMEOUT_S = 2.0  # for the names that a server with `*` has
_VARIABLE = "SOURCEBOOK_LLM_SERVERS"
_TYPES: dict[str, tuple[type, ...]] = {
    "models": (list,),
    "base_url": (str,),
    "api_key": (str,),
    "api_key_variable": (str,),
    "timeout_s": (int, float),
    "context_tokens": (int,),
    "retrieval": (str,),
    "served_as": (str,),
}


@dataclass(frozen=True, slots=True)
class Backend:
    """One server, and the models of it that may be asked for."""

    models: tuple[str, ...]  # names, or beginnings that end in *
    base_url: str
    api_key: str | None
    timeout_s: float
    context_tokens: int | None  # that its models read and write in all; None: unlimited
    retrieval: Retrieval
    served_as: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The models that are named in full."""
        return tuple(name for name in self.models if not name.endswith("*"))

    def fit(self, model: str) -> int:
        """How exactly a model is named: -1 not at all, else the characters that agree."""
        if model in self.names:
            return len(model) + 1
        beginnings = [name[:-1] for name in self.models if name.endswith("*")]
        return max((len(each) for each in beginnings if model.startswith(each)), default=-1)

    def server(self, model: str) -> Server:
        """The connection to one of its models."""
        from api.answer.chat import Server  # noqa: PLC0415 - most servers run without one

        return Server(
            model=self.served_as or model,
            base_url=self.base_url,
            api_key=self.api_key,
            timeout_s=self.timeout_s,
        )


def backend_of(settings: Settings, model: str) -> Backend | None:
    """The server of a model: the one that names it most exactly, the first of equals."""
    return max(
        (each for each in backends(settings) if each.fit(model) >= 0),
        key=lambda each: each.fit(model),
        default=None,
    )


def model_names(settings: Settings) -> list[str]:
    """Every model that can be named: those of the settings, and what servers with `*` tell."""
    found: list[str] = []
    for backend in backends(settings):
        found.extend(backend.names)
        if len(backend.names) < len(backend.models):
            found.extend(name for name in _told(backend) if backend.fit(name) >= 0)
    return list(dict.fromkeys(found))


@lru_cache(maxsize=8)
def backends(settings: Settings) -> tuple[Backend, ...]:
    """All servers; the file is read once for each settings.

    Raises:
        InvalidRequest: the file is not there, or not as it should be.
    """
    own: tuple[Backend, ...] = ()
    if settings.llm_base_url and settings.llm_model:
        given = {"models": [settings.llm_model], "base_url": settings.llm_base_url}
        own = (_backend({**given, "api_key": settings.llm_api_key}, settings),)
    if settings.llm_servers is None:
        return own
    return own + tuple(_backend(entry, settings) for entry in _read(settings.llm_servers))


def _backend(entry: Mapping[str, Any], settings: Settings) -> Backend:
    named = entry.get("api_key_variable")
    return Backend(
        models=tuple(entry["models"]),
        base_url=entry["base_url"],
        api_key=variable(named) if named else entry.get("api_key"),
        timeout_s=float(entry.get("timeout_s", settings.llm_timeout_s)),
        context_tokens=entry.get("context_tokens", settings.llm_context_tokens),
        retrieval=cast("Retrieval", entry.get("retrieval", settings.llm_retrieval)),
        served_as=entry.get("served_as"),
    )


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        _refuse(f"{path} cannot be read: {exc}")
    entries = found.get("server")
    if not isinstance(entries, list) or set(found) != {"server"}:
        _refuse(f"{path} must hold [[server]] tables, and nothing else")
    for n, entry in enumerate(entries, start=1):
        if problem := _problem(entry):
            _refuse(f"{path}, [[server]] {n}: {problem}")
    return entries


def _problem(entry: Mapping[str, Any]) -> str | None:
    """What is wrong with one table, if anything is."""
    missing = (f"'{key}' is missing" for key in ("models", "base_url") if not entry.get(key))
    wrong = (_wrong_value(key, value) for key, value in entry.items())
    return next((each for each in (*missing, *wrong) if each), None) or _wrong_names(entry)


def _wrong_value(key: str, value: Any) -> str | None:
    if key not in _TYPES:
        return f"there is no '{key}'; there are {', '.join(_TYPES)}"
    if not isinstance(value, _TYPES[key]) or isinstance(value, bool):
        return f"'{key}' is {value!r}, a {_TYPES[key][-1].__name__} is expected"
    if key == "retrieval" and value not in get_args(Retrieval):
        return f"'retrieval' is none of {', '.join(get_args(Retrieval))}"
    return None


def _wrong_names(entry: Mapping[str, Any]) -> str | None:
    models = entry["models"]
    if not all(isinstance(name, str) and name.strip() for name in models):
        return "'models' holds something else than names"
    if "served_as" in entry and (len(models) != 1 or models[0].endswith("*")):
        return "'served_as' needs 'models' to be one name"
    return None


def _refuse(problem: str) -> NoReturn:
    raise InvalidRequest(f"{_VARIABLE}: {problem}.", param=_VARIABLE, code="invalid_value")


def _told(backend: Backend) -> list[str]:
    """What the server itself says it has; nothing where it does not answer."""
    import openai  # noqa: PLC0415 - only where a name ends in *

    client = openai.OpenAI(
        base_url=backend.base_url,
        api_key=backend.api_key or "none",
        timeout=LIST_TIMEOUT_S,
        max_retries=0,
    )
    try:
        with client:
            return [model.id for model in client.models.list().data]
    except openai.OpenAIError:
        return []
