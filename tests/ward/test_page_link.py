# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser: who may look, and a connection that goes and comes back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.ward.a_page import Fed, a_page, text
from tests.ward.conftest import Running, until

AWAY_S = 8
"""How long a network is away: longer than the page waits before it tries again."""


@dataclass
class Network:
    """Between a browser and a server, at another address of this machine; it can go with all it holds."""

    to: tuple[str, int]
    listening: socket.socket = field(default_factory=socket.socket)
    there: threading.Event = field(default_factory=threading.Event)
    held: list[socket.socket] = field(default_factory=list)

    def serve(self) -> None:
        """Carry each connection until the network goes; what was open then is never heard of again."""
        with suppress(OSError):
            while True:
                browser, _ = self.listening.accept()
                self.held.append(browser)
                if self.there.is_set():
                    server = socket.create_connection(self.to)
                    self.held.append(server)
                    for ends in ((browser, server), (server, browser)):
                        threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if not self.there.is_set():
                    return
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@pytest.fixture
def network_between(fed: Fed) -> Iterator[Network]:
    network = Network(("127.0.0.1", fed.running.port))
    try:
        network.listening.bind(("127.0.0.2", fed.running.port))
    except OSError:
        pytest.skip("this machine has one address of its own alone")
    network.listening.listen()
    network.there.set()
    threading.Thread(target=network.serve, daemon=True).start()
    yield network
    network.listening.close()
    for each in network.held:
        each.close()


@contextmanager
def a_tab(browser: Any) -> Iterator[Any]:
    """An empty one."""
    context = browser.new_context()
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def test_the_page_comes_back_by_itself_after_the_network_was_away(
    browser: Any, fed: Fed, network_between: Network
) -> None:
    """Without a word of it: no connection is closed, and those that begin meanwhile are not answered."""
    with a_tab(browser) as page:
        page.goto(fed.running.server.link.replace("127.0.0.1", "127.0.0.2"))
        page.wait_for_selector(".tile .curtain", state="hidden")
        network_between.there.clear()
        page.wait_for_selector(".tile .curtain:not([hidden])")
        page.wait_for_timeout(1000 * AWAY_S)
        network_between.there.set()
        page.wait_for_selector(".tile .curtain", state="hidden")
        assert "no connection" not in text(page, "#link")


def test_the_link_of_another_start_opens_in_the_tab_that_showed_the_one_before(
    browser: Any, fed: Fed, serve: Callable[..., Running]
) -> None:
    """As it is pasted into the address bar: no page is loaded for what stands behind the #."""
    with a_tab(browser) as page:
        page.goto(fed.running.server.link)
        page.wait_for_selector(".tile")
        fed.running.server.stop()
        page.wait_for_selector(".tile .curtain:not([hidden])")
        again = serve(beds=fed.running.beds, port=fed.running.port)
        page.wait_for_selector("#login:not([hidden])")
        page.goto(again.server.link)
        page.wait_for_selector("#login", state="hidden")
        page.wait_for_selector(".tile .curtain", state="hidden")
        assert "token=" not in page.url


@pytest.mark.parametrize("where", ["address", "form"])
def test_a_token_that_is_none_is_said_to_be_none(browser: Any, fed: Fed, where: str) -> None:
    with a_tab(browser) as page:
        if where == "address":
            page.goto(f"{fed.running.origin}/#token=of-another-day")
        else:
            page.goto(fed.running.origin)
            page.locator("#token").fill("of-another-day")
            page.keyboard.press("Enter")
        page.wait_for_selector("#refused:not(:empty)")
        assert "not the token" in text(page, "#refused") and page.locator("#token").is_visible()
        page.locator("#token").fill(f"{fed.running.server.link}&bed=1")
        page.keyboard.press("Enter")
        page.wait_for_selector(".tile")
        assert text(page, "#refused") == ""


def test_a_token_that_reaches_no_server_is_said_to_reach_none(browser: Any, fed: Fed) -> None:
    with a_tab(browser) as page:
        page.goto(fed.running.origin)
        page.wait_for_selector("#login:not([hidden])")
        fed.running.server.stop()
        page.locator("#token").fill(fed.running.server.access.token)
        page.keyboard.press("Enter")
        page.wait_for_selector("#refused:not(:empty)")
        assert "no answer" in text(page, "#refused")


def test_wards_of_one_machine_are_looked_at_side_by_side(
    browser: Any, fed: Fed, serve: Callable[..., Running]
) -> None:
    """A browser sends the cookies of one port to all ports of a machine."""
    other = serve()
    other.beds.add("Elsewhere")
    with a_tab(browser) as page:
        for link in (fed.running.server.link, other.server.link):
            page.goto(link)
            page.wait_for_selector(".tile")
        page.goto(fed.running.origin)
        page.wait_for_selector(".tile .open")
        assert text(page, ".tile .open") == "Window"


def test_who_looks_is_sent_away_when_the_shift_is_over(
    browser: Any, fed: Fed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ward.access.STAYS_S", 3.0)
    with a_tab(browser) as page:
        page.goto(fed.running.server.link)
        page.wait_for_selector(".tile .curtain", state="hidden")
        page.wait_for_selector("#login:not([hidden])")
        assert until(lambda: not fed.running.server.live.viewers)
        page.wait_for_selector(".tile .curtain:not([hidden])")


def test_too_many_who_look_is_said(browser: Any, fed: Fed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ward.app.MOST_VIEWERS", 0)
    with a_tab(browser) as page:
        page.goto(fed.running.server.link)
        assert until(lambda: "too many" in text(page, "#link"))


def test_the_skip_link_skips_to_what_is_shown_and_shows_nothing_else(browser: Any, fed: Fed) -> None:
    with a_page(browser, fed) as page:
        page.goto(f"{fed.running.origin}/#bed-{fed.beds[1].number}")
        page.wait_for_selector(".bed canvas")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "stage"
        assert page.url.endswith(f"#bed-{fed.beds[1].number}") and page.locator(".bed canvas").is_visible()


def test_a_page_that_is_older_than_the_program_is_loaded_again(
    browser: Any, fed: Fed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_page(browser, fed) as page:
        with page.expect_event("load"):
            monkeypatch.setattr("ward.wire.VERSION", 200)
        monkeypatch.undo()
        page.wait_for_selector(".tile .curtain", state="hidden")
