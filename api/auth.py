"""Who may come in: by an API key once there is one, else from this machine alone.

A server without keys trusts whoever can reach it, and on a loopback address that is also every
page in a browser on this machine. Two checks keep those out: the name under which the server
was called (against DNS rebinding), and the origin of calls that change something.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import ErrorReply
from api.request import as_response
from retrieval.store.keys import PREFIX

if TYPE_CHECKING:
    from api.engine import Engine
    from api.settings import Settings

# Pages that are the same on every server: they hold no data, and ask the user for the key.
PUBLIC: Final = frozenset({"/", "/healthz", "/docs", "/openapi.json"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SHOWN_CHARS = 4  # of a wrong key, at its end

_HOW_TO_SEND = "Send it in the header 'Authorization: Bearer YOUR_KEY'."
_WHERE_FROM = "The operator of this server makes keys with 'sourcebook keys create'."


@dataclass(frozen=True, slots=True)
class Caller:
    """What a request says of where it comes from."""

    method: str
    path: str
    host: str  # as in the header, with its port; empty if there was none
    origin: str | None  # only browsers send it
    key: str | None  # what it brought, right or wrong

    @classmethod
    def of(cls, scope: Scope) -> Caller:
        """The caller of an ASGI request."""
        headers = Headers(scope=scope)
        return cls(
            method=scope.get("method", "POST"),  # a WebSocket has none, and can do what POST can
            path=scope["path"],
            host=headers.get("host", ""),
            origin=headers.get("origin"),
            key=bearer(headers.get("authorization", "")),
        )


class Guard:
    """Refuses who may not come in, before anything is read of the request's body."""

    def __init__(self, app: ASGIApp, *, engine: Engine) -> None:
        self.app = app
        self._engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI has it."""
        is_call = scope["type"] in {"http", "websocket"}
        refused = self._refused(Caller.of(scope)) if is_call else None
        if refused is None:
            await self.app(scope, receive, send)
        else:
            await as_response(refused)(scope, receive, send)

    def _refused(self, caller: Caller) -> ErrorReply | None:
        """Reads the keys at each request, so that one revoked is refused at once.

        In the event loop, since two looks into a small table take 20 µs, less than handing
        them to a thread does, and such a snapshot never waits for a writer.
        """
        settings = self._engine.settings
        with self._engine.store.snapshot() as view:
            held = view.keys.held()
            if demands_key(settings, n_valid=held.n_valid, n_revoked=held.n_revoked):
                accepted = caller.key is not None and view.keys.accepts(caller.key)
                return None if accepted else without_key(caller)
        return from_elsewhere(caller, settings)


def demands_key(settings: Settings, *, n_valid: int, n_revoked: int) -> bool:
    """Whether callers need a key.

    Always once there is one. When all are revoked the server does not fall open again, and
    beyond this machine it is closed from the start, unless the operator opened it.
    """
    if n_valid:
        return True
    return not settings.open and (n_revoked > 0 or not is_loopback(settings.host))


def without_key(caller: Caller) -> ErrorReply | None:
    """What a caller without a valid key is told; None where none is needed."""
    if caller.path in PUBLIC and caller.method in SAFE_METHODS:
        return None
    headers = {"www-authenticate": "Bearer"}
    if caller.key is None:
        message = f"You did not provide an API key. {_HOW_TO_SEND} {_WHERE_FROM}"
        return ErrorReply(401, message, headers=headers)
    message = f"Incorrect API key provided: {masked(caller.key)}. {_WHERE_FROM}"
    return ErrorReply(401, message, code="invalid_api_key", headers=headers)


def from_elsewhere(caller: Caller, settings: Settings) -> ErrorReply | None:
    """What a page of another site is told by a server that takes calls without a key."""
    names = {"localhost", settings.host.lower(), *_names(settings.hosts)}
    if caller.path != "/healthz" and not _is_known(hostname(caller.host), names):
        message = (
            f"This server is not known as '{caller.host[:100]}'. Without API keys it answers only"
            " to addresses, localhost, and the names in SOURCEBOOK_HOSTS."
        )
        return ErrorReply(403, message)
    if caller.method in SAFE_METHODS or caller.origin is None:
        return None
    origin = caller.origin.partition("://")[2].lower()
    if origin == caller.host.lower() or hostname(origin) in _names(settings.hosts):
        return None
    message = (
        "Without API keys this server takes no calls from pages of another site;"
        f" this one is from '{caller.origin[:100]}'."
    )
    return ErrorReply(403, message)


def bearer(authorization: str) -> str | None:
    """The key in the header's value; None if there is none.

    >>> bearer("Bearer sk-1"), bearer("Basic dTpw"), bearer("Bearer ")
    ('sk-1', None, None)
    """
    scheme, _, key = authorization.strip().partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def masked(key: str) -> str:
    """Enough of a key to recognise it by.

    >>> masked("sk-sb-0123456789abcdef-0123456789"), masked("any")
    ('sk-sb-***6789', '***')
    """
    start = PREFIX if key.startswith(PREFIX) else ""
    long = len(key) > 4 * _SHOWN_CHARS
    return f"{start}***{key[-_SHOWN_CHARS:] if long and key.isascii() else ''}"


def hostname(host: str) -> str:
    """The name or address in a Host header, in lower case, without port and brackets.

    >>> hostname("LocalHost:8377"), hostname("[::1]:8377"), hostname("::1")
    ('localhost', '::1', '::1')
    """
    bare = host.strip().lower()
    if bare.startswith("["):
        return bare[1:].partition("]")[0]
    return bare if bare.count(":") > 1 else bare.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_known(name: str, names: set[str]) -> bool:
    """An address is always right: a page can rebind its name to ours, but has no name then."""
    if not name or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _names(hosts: str) -> set[str]:
    return {name.strip().lower() for name in hosts.split(",") if name.strip()}
