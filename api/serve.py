"""The server process: an engine that works in the background, and the web application on it."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
import sys

import uvicorn

from api.app import create_app
from api.engine import Engine
from api.settings import Settings
from retrieval.errors import Unavailable

logger = logging.getLogger("sourcebook")


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; the port is open before anything is printed.

    Raises:
        Unavailable: the address is taken, or is not this machine's.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # uvicorn ends gracefully and then raises the signal again: that must unwind this frame,
    # so that the engine is closed, instead of killing the process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    listener = _listen(settings.host, settings.port)
    with Engine.open(settings=settings, work=True) as engine:
        _announce(settings, port=listener.getsockname()[1])
        config = uvicorn.Config(create_app(engine), log_config=None, timeout_graceful_shutdown=5)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with --port."
        ) from error
    return listener


def _announce(settings: Settings, *, port: int) -> None:
    address = f"http://{settings.host}:{port}"
    print(f"Sourcebook serves {settings.data} on {address}", flush=True)  # noqa: T201 - the door
    print(f"OpenAI clients: base_url={address}/v1   web page: {address}/", flush=True)  # noqa: T201
    if not _is_loopback(settings.host):
        print(  # noqa: T201
            "Warning: there are no API keys yet, and this address is open to the network.",
            file=sys.stderr,
            flush=True,
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
