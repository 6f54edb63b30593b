"""The server process: an engine that works in the background, and the web application on it."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import sys

import uvicorn

from api.app import create_app
from api.auth import is_loopback
from api.engine import Engine
from api.settings import Settings
from retrieval.errors import InvalidRequest, Unavailable
from retrieval.store import Store

logger = logging.getLogger("sourcebook")


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; the port is open before anything is printed.

    Raises:
        InvalidRequest: the address is not loopback, and there is no API key.
        Unavailable: the address is taken, or is not this machine's.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # uvicorn ends gracefully and then raises the signal again: that must unwind this frame,
    # so that the engine is closed, instead of killing the process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    has_key = _has_key(settings)
    _check_reach(settings, has_key=has_key)
    listener = listen(settings.host, settings.port)
    with Engine.open(settings=settings, work=True) as engine:
        _announce(settings, port=listener.getsockname()[1], has_key=has_key)
        config = uvicorn.Config(create_app(engine), log_config=None, timeout_graceful_shutdown=5)
        uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    It names its protocol because asyncio turns Nagle's algorithm off only on sockets that do:
    otherwise replies of more than one segment wait 40 ms for the client's acknowledgement.

    Raises:
        Unavailable: the address is taken, or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # calls wait for the server instead of being refused
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "a port is 0 to 65535"
        raise Unavailable(
            f"Cannot listen on {host}:{port}: {reason}. Choose another with --port."
        ) from error
    return listener


def _has_key(settings: Settings) -> bool:
    with contextlib.closing(Store(settings.data)) as store, store.snapshot() as view:
        return view.keys.held().n_valid > 0


def _check_reach(settings: Settings, *, has_key: bool) -> None:
    if has_key or settings.open or is_loopback(settings.host):
        return
    raise InvalidRequest(
        f"Without an API key, whoever reaches {settings.host} could read and change everything."
        " Make a key with 'sourcebook keys create --name NAME', or, if that is meant, pass --open"
        " (SOURCEBOOK_OPEN=true).",
        param="host",
        code=None,
    )


def _announce(settings: Settings, *, port: int, has_key: bool) -> None:
    address = f"http://{settings.host}:{port}"
    print(f"Sourcebook serves {settings.data} on {address}", flush=True)  # noqa: T201 - the door
    print(f"OpenAI clients: base_url={address}/v1   web page: {address}/", flush=True)  # noqa: T201
    if not has_key and not is_loopback(settings.host):
        print(  # noqa: T201
            "Warning: there is no API key, and this address is open to the network.",
            file=sys.stderr,
            flush=True,
        )
