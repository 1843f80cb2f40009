# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be refused, by a real server; and that those who may look see on meanwhile."""

from __future__ import annotations

import json
import logging
import resource
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from streamer.core.errors import InputError
from streamer.core.events import Alarm, AlarmKind, AlarmsSilenced
from tests.ward.conftest import Running, until
from ward.access import STAYS_S, Access, Address
from ward.server import MOST_CONNECTIONS, MOST_MESSAGE

DATA = ("/me", "/live")


def look(ward: Running, cookie: str | None, origin: str | None = None, **headers: str) -> ClientConnection:
    """A page's WebSocket; raises `InvalidStatus` if it is refused."""
    sent = {} if cookie is None else {"Cookie": cookie}
    return connect(
        f"ws://{ward.host}/live",
        origin=ward.origin if origin is None else origin,
        additional_headers=sent | headers,
        max_size=None,
        compression=None,
        proxy=None,
        close_timeout=1,
    )


def refused(ward: Running, cookie: str | None, **how: Any) -> int:
    with pytest.raises(InvalidStatus) as failure:
        look(ward, cookie, **how)
    return failure.value.response.status_code


def test_who_has_the_token_looks(ward: Running) -> None:
    status, cookie = ward.log_in()
    assert status == 200
    with look(ward, cookie) as page:
        said = [page.recv(timeout=10) for _ in range(4)]
    statuses = [json.loads(text) for text in said if isinstance(text, str)]
    assert statuses[0]["beds"][0]["name"] == "Room 7, Anna K." and any(isinstance(one, bytes) for one in said)


def test_without_a_token_there_is_the_page_and_nothing_of_a_bed(ward: Running) -> None:
    page = b"".join(ward.ask("GET", path)[2] for path in ("/", "/main.js", "/theme.css", "/style.css"))
    assert b"Anna" not in page and b"Room 7" not in page
    assert ward.ask("GET", "/me")[0] == 401 and refused(ward, None) == 401


@pytest.mark.parametrize("token", ["", "wrong", "x" * 900])
def test_a_wrong_token_gives_no_cookie(ward: Running, token: str) -> None:
    assert ward.log_in(token) == (403, "")


def test_the_token_counts_in_no_header_no_address_and_no_cookie(ward: Running) -> None:
    token = ward.server.access.token
    for headers in (
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"token {token}"},
        {"X-Token": token},
        {"Cookie": f"{ward.server.access.cookie_name}={token}"},
    ):
        assert ward.ask("GET", "/me", **headers)[0] == 401
        assert refused(ward, None, **headers) == 401
    assert ward.ask("GET", f"/me?token={token}")[0] == 401
    assert ward.ask("POST", f"/login?token={token}", "{}", Origin=ward.origin)[0] == 400


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "https://127.0.0.1", "http://127.0.0.1:1"]
)
def test_another_page_can_neither_look_nor_log_in_nor_silence(ward: Running, origin: str) -> None:
    _, cookie = ward.log_in()
    assert refused(ward, cookie, origin=origin) == 403
    assert ward.log_in(Origin=origin)[0] == 403
    assert ward.ask("POST", "/beds/1/silence", Cookie=cookie, Origin=origin)[0] == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1:1", "a b", "[::1"])
def test_a_name_that_only_resolves_to_this_machine_is_refused(ward: Running, host: str) -> None:
    """As a page does that rebinds its own name."""
    assert ward.ask("GET", "/", Host=host)[0] in (400, 421)
    assert ward.ask("POST", "/login", "{}", Host=host, Origin=f"http://{host}")[0] in (400, 421)


def test_a_cookie_is_dead_once_the_token_was_made_again_and_so_is_the_old_token(ward: Running) -> None:
    token = ward.server.access.token
    _, cookie = ward.log_in()
    assert ward.ask("GET", "/me", Cookie=cookie)[0] == 200
    ward.server.access.rotate()
    assert ward.ask("GET", "/me", Cookie=cookie)[0] == 401 and refused(ward, cookie) == 401
    assert ward.log_in(token)[0] == 403


def test_a_server_that_is_started_again_knows_nobody(serve: Callable[..., Running]) -> None:
    first = serve()
    token, (_, cookie) = first.server.access.token, first.log_in()
    port = first.port
    first.server.stop()
    second = serve(port=port)
    assert second.ask("GET", "/me", Cookie=cookie)[0] == 401 and second.log_in(token)[0] == 403


def test_a_cookie_is_good_for_a_shift() -> None:
    now_s = [0.0]
    access = Access(Address("127.0.0.1", 1), frozenset(), lambda: now_s[0])
    cookie = access.exchange(access.token)
    assert access.knows(cookie)
    now_s[0] = STAYS_S + 1
    assert not access.knows(cookie) and not access.knows(None)


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(ward: Running) -> None:
    body = json.dumps({"token": ward.server.access.token})
    _, headers, _ = ward.ask("POST", "/login", body, Origin=ward.origin)
    said = {part.strip().lower() for part in headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict"} <= said
    assert ward.server.access.token not in headers["set-cookie"]


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/page/../server.py",
        "//etc/passwd",
        "/..\\server.py",
        "/index.html%00.js",
        "/server.py",
        "/__init__.py",
        "/" + "a" * 9000,
    ],
)
def test_no_path_leads_out_of_the_page(ward: Running, path: str) -> None:
    status, _, content = ward.ask("GET", path)
    assert status in (400, 404) and b"root:" not in content and b"SPDX" not in content


@pytest.mark.parametrize("path", ["/", "/main.js", "/nothing", "/me", "/live"])
def test_every_answer_forbids_framing_foreign_scripts_and_sniffing(ward: Running, path: str) -> None:
    _, headers, _ = ward.ask("GET", path)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY" and headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_the_page_names_no_foreign_address_and_has_no_script_or_style_of_its_own() -> None:
    for path in (Path(__file__).parents[2] / "ward" / "page").iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text, path.name
        assert "innerHTML" not in text and " onclick=" not in text and "style=" not in text, path.name


def test_silence_is_refused_unless_it_was_allowed(ward: Running) -> None:
    _, cookie = ward.log_in()
    assert ward.ask("POST", "/beds/1/silence", Cookie=cookie, Origin=ward.origin)[0] == 403
    assert ward.ask("GET", "/beds/1/silence", Cookie=cookie, Origin=ward.origin)[0] == 405
    assert not ward.told


def test_silence_reaches_the_session_if_it_was_allowed(serve: Callable[..., Running], network: Any) -> None:
    from tests.ward.a_bed import a_description

    ward = serve(allowed=frozenset({"silence"}))
    bed = ward.beds.add("Bed 1")
    bed.sink(ward.told.append).open(a_description(network))
    bed.event(Alarm(AlarmKind.HIGH_RATE, True, "140 bpm, above 120"))
    _, cookie = ward.log_in()
    assert ward.ask("POST", "/beds/1/silence", Origin=ward.origin)[0] == 401
    assert ward.ask("POST", "/beds/9/silence", Cookie=cookie, Origin=ward.origin)[0] == 404
    assert ward.ask("POST", "/beds/1/silence", Cookie=cookie, Origin=ward.origin)[0] == 200
    assert ward.told == [AlarmsSilenced((AlarmKind.HIGH_RATE,))]


@pytest.mark.parametrize(
    "body", [b"", b"[" * 900, b"\xff\xfe", b"null", b"[1]", b'{"token": 3}', b'{"token": {}}', b"x" * 100_000]
)
def test_a_body_that_is_no_small_object_is_refused(ward: Running, body: bytes) -> None:
    assert ward.ask("POST", "/login", body, Origin=ward.origin)[0] == 400


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[" * 2000,
        "[]",
        '{"lead": "XX"}',
        '{"lead": []}',
        '{"bed": 1.5}',
        '{"bed": "1"}',
        '{"bed": true}',
        b"\x00\x01",
        "x" * (MOST_MESSAGE + 1),
        b"x" * 1_000_000,
    ],
)
def test_who_says_nonsense_or_too_much_is_sent_away(ward: Running, message: str | bytes) -> None:
    _, cookie = ward.log_in()
    with look(ward, cookie) as page, pytest.raises(ConnectionClosed):
        page.send(message)
        while True:
            page.recv(timeout=10)
    with look(ward, cookie) as page:
        assert page.recv(timeout=10)


def test_a_request_that_never_ends_is_cut(ward: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ward.server.FIRST_WORD_S", 0.5)
    with socket.create_connection(("127.0.0.1", ward.port)) as slow:
        slow.settimeout(15)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert slow.recv(100) == b""


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.long)])
def test_many_connections_take_no_more_than_their_share(ward: Running, count: int) -> None:
    """On top of one that looks, and goes on to; as many as this process may open."""
    _, cookie = ward.log_in()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(count, soft // 2 - 200)
    server = ward.server._server
    assert server is not None
    with ExitStack() as held, look(ward, cookie) as page:
        heard_s, longest_s = time.monotonic(), 0.0
        for _ in range(wanted):
            one = held.enter_context(socket.socket())
            one.settimeout(10)
            with suppress(ConnectionError):
                one.connect(("127.0.0.1", ward.port))
            with suppress(TimeoutError):
                page.recv(timeout=0)
                longest_s = max(longest_s, time.monotonic() - heard_s)
                heard_s = time.monotonic()
        assert until(lambda: len(server.server_state.connections) <= MOST_CONNECTIONS)
        assert longest_s < 2.0 and page.recv(timeout=2)
    assert until(lambda: ward.log_in()[0] == 200)


def test_a_reader_who_takes_nothing_costs_the_others_nothing_and_is_sent_away(
    ward: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ward.live.STUCK_S", 1.0)
    _, cookie = ward.log_in()
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    stuck.connect(("127.0.0.1", ward.port))
    request = (
        f"GET /live HTTP/1.1\r\nHost: {ward.host}\r\nOrigin: {ward.origin}\r\nCookie: {cookie}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    stuck.sendall(request.encode())
    live = ward.server.live
    assert until(lambda: len(live.viewers) == 1)
    for _ in range(80):  # so much that no buffer on the way takes it
        ward.beds.add("x" * 20_000)
    with look(ward, cookie) as page:
        assert until(lambda: live.left_out > 5, 20)
        assert until(lambda: len(live.viewers) == 1, 20)
        assert page.recv(timeout=10)
        server = ward.server._server
        assert server is not None and until(lambda: len(server.server_state.connections) == 1)
    stuck.close()


def test_no_name_and_no_token_is_in_a_log(ward: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, cookie = ward.log_in()
    with look(ward, cookie) as page:
        page.recv(timeout=10)
    ward.ask("GET", "/beds/1")
    ours = [record.getMessage() for record in caplog.records if record.name != "websockets.client"]
    said = "\n".join(ours + ward.said)
    assert "Anna" not in said and ward.server.access.token not in said and cookie[10:] not in said


def test_by_tls_the_cookie_is_for_tls_alone(serve: Callable[..., Running], tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-days",
        "2",
    ]
    try:
        subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl makes the certificate")
    from ward.bed import Beds
    from ward.server import Serving, WardServer

    server = WardServer(Beds(), Serving(port=0, certificate=certificate, key=key), {}, print)
    server.start()
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        with (
            socket.create_connection(("127.0.0.1", server.address.port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            host = f"localhost:{server.address.port}"
            body = json.dumps({"token": server.access.token})
            tls.sendall(
                f"POST /login HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            answer = b"".join(iter(lambda: tls.recv(4096), b"")).decode().lower()
        assert answer.startswith("http/1.1 200") and "; secure" in answer
        assert server.link.startswith("https://")
    finally:
        server.stop()


def test_files_that_are_no_certificate_and_an_address_that_is_taken_are_input_errors(
    serve: Callable[..., Running], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with pytest.raises(InputError):
        serve(certificate=wrong, key=wrong)
    taken = serve()
    with pytest.raises(InputError):
        serve(port=taken.port)


def test_the_page_comes_back_after_the_server_has_died(
    ward: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody else's thread notices."""
    monkeypatch.setattr("ward.server.AGAIN_S", 0.1)
    before = threading.active_count()
    first = ward.server._server
    assert first is not None
    first.should_exit = True
    assert until(lambda: ward.server._server is not first)
    assert until(lambda: ward.log_in()[0] == 200)
    assert threading.active_count() <= before + 1
