# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server answers: the page for anybody, everything of a bed for who has the cookie."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from ward.access import STAYS_S, Access
from ward.bed import Beds
from ward.history import History, alarms_csv, trend_csv
from ward.live import MOST_VIEWERS, Live, Viewer, Wanted

SILENCE = "silence"
"""The one thing that a viewer may be allowed to do."""

ABORT = "abort"
"""In the state of a connection: ends it at once."""

MOST_SHOWN = 500
"""Alarms that the page lists; the CSV has all."""

MOST_BODY = 1024
"""Bytes of a request; the longest holds a token."""

TOO_MANY = "too many look already"

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=()",
    "cache-control": "no-store",
}

_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Guard:
    """Refuses a foreign ``Host``, and sets the headers of every answer; ASGI around an app."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if not self._access.is_ours(Headers(scope=scope).get("host")):
            answer = Response("this server goes by another name", 421)
            await answer(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sending


class Pages:
    """The routes of one server.

    Parameters
    ----------
    beds : Beds
        What there is to see.
    access : Access
        Who may see it.
    allowed : frozenset of str
        What a viewer may do: nothing, or `SILENCE`.
    theme : mapping
        Colours of the two looks by name: ``light`` and ``dark``, each a mapping of name to ``#rrggbb`` or
        ``#aarrggbb``.
    history : History, optional
        The last day.
    ended : callable
        Takes why nothing more can be sent to those who look: no browser learns of that by itself.
    """

    def __init__(
        self,
        beds: Beds,
        access: Access,
        allowed: frozenset[str],
        theme: Mapping[str, Mapping[str, str]],
        history: History | None,
        ended: Callable[[Exception], None],
    ) -> None:
        self._beds = beds
        self._history = history
        self._access = access
        self._allowed = allowed
        self._ended = ended
        self.live = Live(beds, allowed)
        self._files = _page_files() | {"theme.css": (_KINDS["css"], theme_css(theme).encode())}

    def app(self) -> ASGIApp:
        """The whole, guarded."""
        app = Starlette(
            routes=[
                Route("/", self._page, methods=["GET"]),
                Route("/me", self._me, methods=["GET"]),
                Route("/login", self._login, methods=["POST"]),
                Route("/beds/{bed:int}/silence", self._silence, methods=["POST"]),
                Route("/alarms.{form}", self._alarms, methods=["GET"]),
                Route("/beds/{bed:int}/alarms.{form}", self._alarms, methods=["GET"]),
                Route("/beds/{bed:int}/trend.{form}", self._trend, methods=["GET"]),
                WebSocketRoute("/live", self._live),
                Route("/{name}", self._page, methods=["GET"]),
            ],
            lifespan=self._lifespan,
        )
        return Guard(app, self._access)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run_live())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _run_live(self) -> None:
        try:
            await self.live.run()
        except Exception as error:  # noqa: BLE001 - whatever it was, who looks must not wait for ever
            self._ended(error)

    # ---- for anybody

    async def _page(self, request: Request) -> Response:
        found = self._files.get(request.path_params.get("name", "index.html"))
        if found is None:
            return Response("there is no such page", 404)
        kind, content = found
        return Response(content, headers={"content-type": kind})

    async def _login(self, request: Request) -> Response:
        """Give a cookie for the token, which only the body of this request may hold."""
        if not self._from_own_page(request):
            return _refused("from another page", 403)
        said = await _body(request)
        if said is None or not isinstance(said.get("token"), str):
            return _refused("no token", 400)
        cookie = self._access.exchange(said["token"])
        if cookie is None:
            await asyncio.sleep(0.25)  # guessing is slow
            return _refused("wrong token", 403)
        answer = JSONResponse({"allowed": sorted(self._allowed)})
        answer.set_cookie(
            self._access.cookie_name,
            cookie,
            max_age=STAYS_S,
            httponly=True,
            samesite="strict",
            secure=self._access.address.tls,
        )
        return answer

    # ---- with the cookie

    async def _me(self, request: Request) -> Response:
        """Whether this browser may look."""
        if not self._access.knows(self._cookie(request)):
            return _refused("no access", 401)
        if len(self.live.viewers) >= MOST_VIEWERS:
            return _refused(TOO_MANY, 503)
        return JSONResponse({"allowed": sorted(self._allowed)})

    async def _silence(self, request: Request) -> Response:
        if not self._access.knows(self._cookie(request)):
            return _refused("no access", 401)
        if not self._from_own_page(request):
            return _refused("from another page", 403)
        if SILENCE not in self._allowed:
            return _refused("this page only shows", 403)
        bed = self._beds.get(request.path_params["bed"])
        if bed is None:
            return _refused("there is no such bed", 404)
        return JSONResponse({"silenced": bed.silence()})

    async def _trend(self, request: Request) -> Response:
        """The last day of a bed, as JSON for the page or as CSV."""
        refused, history = self._may_ask_history(request)
        if refused is not None or history is None:
            return refused or _refused("no history is kept", 404)
        number, form = request.path_params["bed"], request.path_params["form"]
        points = await asyncio.to_thread(history.trend, number)
        if form == "csv":
            return _csv_file(trend_csv(points), f"bed-{number}-trend.csv")
        rows = [
            [round(p.at_s, 1), p.bpm if p.bpm == p.bpm else None, p.quality, p.lost, p.state] for p in points
        ]
        return JSONResponse({"points": rows})

    async def _alarms(self, request: Request) -> Response:
        """The last day's alarms, as JSON for the page or as CSV."""
        refused, history = self._may_ask_history(request)
        if refused is not None or history is None:
            return refused or _refused("no history is kept", 404)
        number = request.path_params.get("bed")
        if request.path_params["form"] == "csv":
            name = "alarms.csv" if number is None else f"bed-{number}-alarms.csv"
            return _csv_file(alarms_csv(await asyncio.to_thread(history.alarms, number)), name)
        entries = await asyncio.to_thread(history.alarms, number, MOST_SHOWN)
        return JSONResponse({"alarms": [asdict(entry) for entry in entries]})

    def _may_ask_history(self, request: Request) -> tuple[Response | None, History | None]:
        if not self._access.knows(self._cookie(request)):
            return _refused("no access", 401), None
        if request.path_params["form"] not in ("csv", "json"):
            return _refused("there is no such form", 404), None
        return None, self._history

    async def _live(self, socket: WebSocket) -> None:
        headers = socket.headers
        if not self._access.is_own_page(headers.get("origin"), headers.get("host")):
            await socket.send_denial_response(_refused("from another page", 403))
            return
        cookie = self._cookie(socket)
        if not self._access.knows(cookie):
            await socket.send_denial_response(_refused("no access", 401))
            return
        if len(self.live.viewers) >= MOST_VIEWERS:
            await socket.send_denial_response(_refused(TOO_MANY, 503))
            return
        await socket.accept()
        viewer = _viewer(socket)
        self.live.viewers.add(viewer)
        try:
            async with asyncio.timeout(self._access.left_s(cookie)):
                while True:
                    viewer.look(Wanted.of(await socket.receive_text()))
        except (TimeoutError, ValueError, KeyError, RecursionError):  # KeyError: it was binary
            await socket.close(1008)
        except (WebSocketDisconnect, RuntimeError):  # RuntimeError: closed by this side meanwhile
            pass
        finally:
            self.live.viewers.discard(viewer)
            if viewer.task is not None:
                viewer.task.cancel()

    def _cookie(self, asked: HTTPConnection) -> str | None:
        return asked.cookies.get(self._access.cookie_name)

    def _from_own_page(self, request: Request) -> bool:
        headers = request.headers
        return self._access.is_own_page(headers.get("origin"), headers.get("host"))


def _viewer(socket: WebSocket) -> Viewer:
    async def send(message: str | bytes) -> None:
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_text(message)

    return Viewer(send, socket.scope["state"][ABORT])


def _csv_file(content: str, name: str) -> Response:
    return Response(
        content,
        media_type="text/csv",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _refused(why: str, code: int) -> Response:
    return JSONResponse({"refused": why}, code)


async def _body(request: Request) -> dict[str, Any] | None:
    """A small JSON object; None if it is not that."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BODY:
            return None
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _page_files() -> dict[str, tuple[str, bytes]]:
    """By name: kind and content.  What is not here does not exist for the server, whatever a path says."""
    return {
        each.name: (_KINDS[each.name.rpartition(".")[2]], each.read_bytes())
        for each in (files("ward") / "page").iterdir()
        if each.name.rpartition(".")[2] in _KINDS
    }


def theme_css(theme: Mapping[str, Mapping[str, str]]) -> str:
    """The colours as custom properties of each look, a dash for each underscore in their names."""

    def properties(look: Mapping[str, str]) -> str:
        return "".join(
            f"  --{name.replace('_', '-')}: {_css(value)};\n"
            for name, value in look.items()
            if value.startswith("#")
        )

    return "".join(
        f":root{'' if name == 'light' else f'[data-look={name}]'} {{\n{properties(look)}}}\n"
        for name, look in theme.items()
    )


def _css(colour: str) -> str:
    """``#aarrggbb`` as the web has it, ``#rrggbbaa``."""
    return f"#{colour[3:]}{colour[1:3]}" if len(colour) == 9 else colour
