# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server on loopback, with a bed that is fed."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from streamer.core.events import Event
from streamer.core.network.network import Network
from tests.ward.a_bed import a_description, a_frame
from ward.bed import Beds

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from ward.server import Serving, WardServer

if TYPE_CHECKING:
    from tests.ward.a_page import Fed

THEME = {
    "light": {"paper": "#fffaf8", "ribbon": "#420b5394", "warning": "#a12700", "soft_ink": "#555555"},
    "dark": {"paper": "#0a0f14", "warning": "#ff8a65", "soft_ink": "#a0a8b0"},
}


@dataclass
class Running:
    server: WardServer
    beds: Beds
    told: list[Event] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.server.address.port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; ``_`` stands for ``-`` in names of headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            wanted = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, wanted)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def log_in(self, token: str | None = None, **headers: str) -> tuple[int, str]:
        """Status, and the cookie as a browser would send it back."""
        body = json.dumps({"token": self.server.access.token if token is None else token})
        status, answered, _ = self.ask("POST", "/login", body, **{"Origin": self.origin, **headers})
        return status, answered.get("set-cookie", "").partition(";")[0]


def until(true: Callable[[], Any], seconds: float = 10.0) -> bool:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        if true():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(beds: Beds | None = None, **serving: Any) -> Running:
        said: list[str] = []
        beds = Beds() if beds is None else beds
        server = WardServer(beds, Serving(**{"port": 0, **serving}), THEME, said.append)
        running.append(Running(server, beds, said=said))
        server.start()
        assert until(lambda: _answers(running[-1]))
        return running[-1]

    yield start
    for each in running:
        each.server.stop()


def _answers(running: Running) -> bool:
    try:
        return running.ask("GET", "/")[0] == 200
    except OSError:
        return False


@pytest.fixture
def ward(serve: Callable[..., Running], network: Network) -> Iterator[Running]:
    """With one bed that gets 20 ms of signal each 20 ms."""
    running = serve()
    bed = running.beds.add("Room 7, Anna K.")
    bed.sink(running.told.append).open(a_description(network))
    stopping = threading.Event()

    def feed() -> None:
        at = 0
        while not stopping.wait(0.02):
            bed.frame(a_frame(at))
            at += 5

    thread = threading.Thread(target=feed)
    thread.start()
    yield running
    stopping.set()
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real one; the tests that need it are skipped without."""
    from tests.ward.a_page import CHROMIUM

    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed, and the page is tested in one")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def fed(serve: Callable[..., Running], network: Network) -> Iterator[Fed]:
    """Two beds on a page that may silence them."""
    from tests.ward.a_page import Fed

    fed = Fed(serve(allowed=frozenset({"silence"})), network)
    fed.add("Window")
    fed.add("Door <b>2</b>")
    with fed.feeding():
        yield fed
