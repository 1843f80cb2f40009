# SPDX-License-Identifier: GPL-3.0-or-later
"""The web server, in a thread and an event loop of its own: what happens to it happens to no session."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from streamer.core.errors import InputError
from ward.access import Access, Address
from ward.app import ABORT, Pages
from ward.bed import Beds
from ward.history import History

MOST_CONNECTIONS = 128
"""At a time; the next is closed at once, so that files for recordings remain."""

FIRST_WORD_S = 5.0
"""Who has connected and asked for nothing by then is sent away."""

MOST_MESSAGE = 4096
"""Bytes of what a browser may say through a WebSocket."""

LONGEST_S = 60.0
"""A connection for anything but the live picture ends by then; a browser makes another."""

_BACKLOG = 512

AGAIN_S = 2.0
"""After a failure the server is started again."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How the page is served."""

    host: str = "127.0.0.1"
    port: int = 8912
    """0 takes any that is free."""
    certificate: Path | None = None
    """PEM, with its chain; with ``key`` the page is served by TLS."""
    key: Path | None = None
    allowed: frozenset[str] = frozenset()
    """What a viewer may do, beside looking."""


class _Http(H11Protocol):
    """Counts connections, and waits no longer than it must: for a request, and for who reads its answer."""

    _timers: tuple[asyncio.TimerHandle, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A browser, or another program, has connected."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self._timers = (
                self.loop.call_later(FIRST_WORD_S, self._end, True),
                self.loop.call_later(LONGEST_S, self._end, False),
            )

    def _end(self, only_if_silent: bool) -> None:
        if self.transport.get_protocol() is self and (self.scope is None or not only_if_silent):
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        for timer in self._timers:
            timer.cancel()
        super().connection_lost(exc)


class _WebSocket(WebSocketsSansIOProtocol):
    """Lets the app end a connection whose browser takes nothing, which a polite close would wait for."""

    def handle_connect(self, event: Request) -> None:
        """A browser wants one."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["state"][ABORT] = self.transport.abort


class WardServer:
    """Serves the page of some beds.

    Parameters
    ----------
    beds : Beds
        What there is to see.
    serving : Serving
        Where and how.
    theme : mapping
        As `ward.app.Pages` takes it.
    say : callable
        Takes a sentence for the user, such as why the page ended.
    history : History, optional
        The last day, if it is kept.

    Raises
    ------
    InputError
        The address cannot be had, or the certificate cannot be used.
    """

    def __init__(
        self,
        beds: Beds,
        serving: Serving,
        theme: Mapping[str, Mapping[str, str]],
        say: Callable[[str], None],
        history: History | None = None,
    ) -> None:
        self._tls = _tls(serving)
        self._socket = _listen(serving)
        port = int(self._socket.getsockname()[1])
        self._say = say
        self.address = Address(serving.host, port, self._tls is not None)
        self.access = Access(self.address, _names(serving.host))
        self._pages = Pages(beds, self.access, serving.allowed, theme, history, self._end)
        self._serving = replace(serving, port=port)
        self._server: uvicorn.Server | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ward server", daemon=True)

    @property
    def link(self) -> str:
        """The page's address with the token, behind the ``#`` that is sent to nobody."""
        host = self._serving.host
        if host in ("0.0.0.0", "::", ""):
            host = _reachable()
        return f"{replace(self.address, host=host).url}#token={self.access.token}"

    @property
    def live(self) -> Any:
        """What goes to the viewers; for tests and measurements."""
        return self._pages.live

    def start(self) -> None:
        """Serve from now on; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End it; waits for a second at most."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = self._server.force_exit = True
        self._thread.join(2.0)
        self._socket.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._server = uvicorn.Server(_config(self._pages, self._tls))
                self._server.run(sockets=[self._socket.dup()])
            except Exception as error:  # noqa: BLE001 - the beds go on, whatever it was
                if not self._stopping.is_set():
                    self._say(f"the page ended ({error}); the beds go on, and it is tried again")
            except SystemExit:
                self._say("the page could not begin; the beds go on, and it is tried again")
            self._stopping.wait(AGAIN_S)

    def _end(self, error: Exception) -> None:
        """Nothing more can be sent: begin again."""
        self._say(f"the page ended ({error}); the beds go on, and it is tried again")
        if self._server is not None:
            self._server.should_exit = self._server.force_exit = True


class _Config(uvicorn.Config):
    """With a TLS context that is ready."""

    def __init__(self, context: ssl.SSLContext | None, **options: Any) -> None:
        super().__init__(**options)
        self._context = context

    def load(self) -> None:
        """Load what is needed."""
        super().load()
        self.ssl = self._context


def _config(pages: Pages, tls: ssl.SSLContext | None) -> uvicorn.Config:
    for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):  # no address, no path, in any log
        logging.getLogger(name).disabled = True
    return _Config(
        tls,
        app=pages.app(),
        http=_Http,
        ws=_WebSocket,
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws_max_size=MOST_MESSAGE,
        ws_per_message_deflate=False,
        ws_ping_interval=10.0,
        ws_ping_timeout=10.0,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16_384,
        backlog=_BACKLOG,
    )


def _tls(serving: Serving) -> ssl.SSLContext | None:
    if serving.certificate is None or serving.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(serving.certificate, serving.key)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise InputError(
            f"the certificate {serving.certificate.name} with the key {serving.key.name} cannot be used "
            f"({error}): give both as PEM files that belong together"
        ) from error
    return context


def _listen(serving: Serving) -> socket.socket:
    with ExitStack() as undo:
        try:
            family, kind, protocol, _, where = socket.getaddrinfo(
                serving.host, serving.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listening = undo.enter_context(socket.socket(family, kind, protocol))
            if os.name == "posix":  # elsewhere it would let another program take the port as well
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            listening.listen(_BACKLOG)
        except OSError as error:
            raise InputError(
                f"the page cannot be served at {serving.host}:{serving.port} ({error.strerror}): "
                "choose another address or port"
            ) from error
        undo.pop_all()
        return listening


def _names(host: str) -> frozenset[str]:
    """Names under which this machine may be asked, beside its numeric addresses."""
    own = socket.gethostname()
    return frozenset({"localhost", host, own, f"{own}.local", socket.getfqdn()})


def _reachable() -> str:
    """The address under which another machine is likely to reach this one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks which interface would be taken
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
