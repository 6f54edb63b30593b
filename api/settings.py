"""Every setting: name, default, unit, help. The only reader of the environment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from retrieval.errors import InvalidRequest

Retrieval = Literal["auto", "tool", "forced"]
PREFIX = "SOURCEBOOK_"
_MIB = 1 << 20


def variable(name: str) -> str | None:
    """The value of a variable that a file of settings names, such as that of a server's key."""
    return os.environ.get(name)


def _setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


def _default_cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "sourcebook"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator can choose. `SOURCEBOOK_` + the upper-case name sets each of them."""

    data: Path = _setting(Path("sourcebook-data"), "Folder of all stored data.")
    host: str = _setting("127.0.0.1", "Address the server listens on.")
    port: int = _setting(8377, "Port the server listens on; 0 takes a free one.")
    open: bool = _setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Without an API key, listen beyond this machine all the same.",
    )
    hosts: str = _setting(
        "", "Further host names of a server without API keys, separated by commas."
    )
    cache: Path = field(
        default_factory=_default_cache,
        metadata={"help": "Folder of prepared models, shared by data folders."},
    )
    embedder: str = _setting(
        "all-MiniLM-L6-v2",
        "Embedding model of new vector stores: this one, the same with `-int8`, any"
        " sentence-transformers name with the `models` extra, or `hash`.",
    )
    also_embedders: str = _setting(
        "", "Further embedding models whose vector stores are served too, separated by commas."
    )
    embeddings_base_url: str | None = _setting(
        None,
        "Base URL of a server with /embeddings as OpenAI has it (Ollama, TEI, vLLM, OpenAI);"
        " its model is then that of new vector stores.",
    )
    embeddings_api_key: str | None = _setting(None, "Its API key.")
    embeddings_model: str | None = _setting(
        None, "Its model; needed when embeddings_base_url is set."
    )
    embeddings_max_tokens: int = _setting(
        512, "Longest text that this model reads, in its own tokens; tried out at start."
    )
    embeddings_tokenizer: Path | None = _setting(
        None,
        "Its tokenizer.json. Without it the default model's tokenizer counts, and windows are"
        " at most half of embeddings_max_tokens.",
    )
    embeddings_document_prefix: str = _setting(
        "", "What the model wants before a text, such as `passage: `."
    )
    embeddings_query_prefix: str = _setting("", "What it wants before a query.")
    embeddings_batch_texts: int = _setting(32, "Texts in one request to it.")
    embeddings_timeout_s: float = _setting(60.0, "Seconds to wait for one answer of it.")
    reranker: str | None = _setting(
        None,
        "Cross-encoder that reads the best hits again: a sentence-transformers name or folder,"
        " with the `models` extra.",
    )
    rerank_base_url: str | None = _setting(
        None, "Base URL of a server with /rerank that does so instead (TEI, vLLM, Cohere, Jina)."
    )
    rerank_model: str | None = _setting(None, "Its model, where it has several.")
    rerank_api_key: str | None = _setting(None, "Its API key.")
    query_cache: int = _setting(
        1024, "Results and query vectors that are kept for equal searches; 0 keeps none."
    )
    workers: int = _setting(2, "Files that one process indexes at a time.")
    max_file_bytes: int = _setting(512 * _MIB, "Largest file that is taken, in bytes.")
    max_upload_bytes: int = _setting(8192 * _MIB, "Largest file that is taken in parts, in bytes.")
    max_part_bytes: int = _setting(64 * _MIB, "Largest part of such a file, in bytes.")
    max_file_tokens: int = _setting(5_000_000, "Longest file that is indexed, in tokens.")
    parse_timeout_s: float = _setting(120.0, "Seconds that parsing one file may take.")
    parse_memory_bytes: int = _setting(
        2048 * _MIB, "Memory that parsing one file may take, in bytes."
    )
    llm_base_url: str | None = _setting(
        None, "Base URL of a Chat Completions server that writes the answers."
    )
    llm_api_key: str | None = _setting(None, "Its API key.")
    llm_model: str | None = _setting(None, "Its model; needed when llm_base_url is set.")
    llm_timeout_s: float = _setting(120.0, "Seconds to wait for the language model.")
    llm_retrieval: Retrieval = _setting(
        "auto",
        "Who searches: `forced`, we do before the model writes; `tool`, the model does;"
        " `auto`, we do, and the model may search again if its server takes tools.",
    )
    llm_context_tokens: int | None = _setting(
        None, "Tokens that the language model can read and write in all; by default unlimited."
    )
    llm_servers: Path | None = _setting(
        None, "TOML file of further such servers, each with its models: docs/ANSWERS.md."
    )
    places: bool = _setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Always add the `sourcebook` objects (page, span, explanation) to replies.",
    )

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Settings from the environment; overrides that are not None win.

        Raises:
            InvalidRequest: a value does not fit its type; names the variable.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for each in dataclasses.fields(cls):
            raw = environ.get(PREFIX + each.name.upper())
            if raw:
                values[each.name] = _convert(each.name, str(each.type), raw)
        values.update({name: value for name, value in overrides.items() if value is not None})
        return cls(**values)


def _convert(name: str, type_name: str, raw: str) -> Any:
    converters: dict[str, Callable[[str], Any]] = {
        "Path": Path,
        "Path | None": Path,
        "int": int,
        "int | None": int,
        "float": float,
        "bool": _flag,
        "Retrieval": _retrieval,
    }
    try:
        return converters.get(type_name, str)(raw)
    except ValueError as error:
        variable = PREFIX + name.upper()
        raise InvalidRequest(
            f"{variable} is {raw!r}; {type_name} is expected.", param=variable, code="invalid_type"
        ) from error


def _retrieval(raw: str) -> str:
    if raw not in get_args(Retrieval):
        raise ValueError(raw)
    return raw


def _flag(raw: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if raw.lower() not in words:
        raise ValueError(raw)
    return words[raw.lower()]
