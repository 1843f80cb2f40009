# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may look: a token that is shown once, exchanged for a cookie, and which addresses are ours.

The token goes from the page's address, behind the ``#`` that no browser sends, into the body of one request.
So it is in no log, no ``Referer`` and no history of ours; nothing else than that exchange takes it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

STAYS_S = 12 * 3600
"""A cookie is good for a shift."""

MOST_COOKIES = 256
"""More than so many and the oldest goes."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is."""

    host: str
    port: int
    tls: bool = False

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return _ip(self.host) is not None and ipaddress.ip_address(self.host).is_loopback

    @property
    def url(self) -> str:
        """Of the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/"


class Access:
    """Tokens, cookies and origins of one server; used by one thread.

    Parameters
    ----------
    address : Address
        Where it listens.
    names : iterable of str
        Names of this machine, beside numeric addresses, under which it may be asked for.
    """

    def __init__(
        self, address: Address, names: frozenset[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.address = address
        self._names = frozenset(name.lower() for name in names)
        self._clock = clock
        self._cookies: OrderedDict[bytes, float] = OrderedDict()
        self.token = ""
        self.rotate()

    @property
    def cookie_name(self) -> str:
        """Of this server alone: a browser sends the cookies of one port to all ports of a machine."""
        return f"mecg_ward_{self.address.port}"

    def rotate(self) -> None:
        """Make another token: the one before, and all cookies, are worth nothing."""
        self.token = secrets.token_urlsafe(24)
        self._cookies.clear()

    def exchange(self, token: str) -> str | None:
        """A cookie for the token; None if it is not that."""
        if not secrets.compare_digest(_digest(token), _digest(self.token)):
            return None
        cookie = secrets.token_urlsafe(32)
        self._cookies[_digest(cookie)] = self._clock() + STAYS_S
        while len(self._cookies) > MOST_COOKIES:
            self._cookies.popitem(last=False)
        return cookie

    def knows(self, cookie: str | None) -> bool:
        """Whether a cookie was given by `exchange`, and is good still."""
        return self.left_s(cookie) > 0

    def left_s(self, cookie: str | None) -> float:
        """For how long a cookie is good still."""
        until_s = self._cookies.get(_digest(cookie or ""))
        return 0.0 if until_s is None else max(0.0, until_s - self._clock())

    def is_ours(self, host: str | None) -> bool:
        """Whether a ``Host`` is this server: a name that only resolves to this machine is not."""
        parts = _split(f"//{host}", 443 if self.address.tls else 80) if host else None
        if parts is None or parts[1] != self.address.port:
            return False
        name = parts[0].lower()
        return _ip(name) is not None or name in self._names

    def is_own_page(self, origin: str | None, host: str | None) -> bool:
        """Whether an ``Origin`` is the page of the ``Host`` that is asked."""
        if not origin or not self.is_ours(host):
            return False
        scheme = "https" if self.address.tls else "http"
        return origin.lower() == f"{scheme}://{host}".lower()


def _split(text: str, port: int) -> tuple[str, int] | None:
    try:
        parts = urlsplit(text, scheme="http")
        if parts.username or parts.path or parts.query or not parts.hostname:
            return None
        return parts.hostname, parts.port or port
    except ValueError:
        return None


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
