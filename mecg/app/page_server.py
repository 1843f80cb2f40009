# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves the page of some beds, and tells the user where it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gui.theme import DARK, LIGHT
from mecg.app.terminal import say, words
from streamer.core.errors import InputError
from ward.bed import Beds

if TYPE_CHECKING:
    from ward.server import WardServer


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where the page is, and what it lets a viewer do."""

    serve: tuple[str, int] | None = None
    """Host and port; None is this machine alone, or no page."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    allow: tuple[str, ...] = ()
    """``silence``, or nothing."""


def page_server(beds: Beds, options: ServeOptions) -> WardServer:
    """The server of a page, listening and not yet started.

    Raises
    ------
    InputError
        What it needs is not installed, or the address or the certificate cannot be used.
    """
    if (options.tls_certificate is None) != (options.tls_key is None):
        raise InputError("TLS takes both files: give --tls-certificate and --tls-key")
    try:
        from ward.server import Serving, WardServer
    except ImportError as error:
        raise InputError(
            f"the page needs what is not installed ({error.name}): pip install 'mecg-streamer[web]'"
        ) from error
    usual = Serving()
    host, port = options.serve or (usual.host, usual.port)
    serving = Serving(host, port, options.tls_certificate, options.tls_key, frozenset(options.allow))
    look = {theme.name: asdict(theme) for theme in (LIGHT, DARK)}
    return WardServer(beds, serving, look, say)


def say_where(server: WardServer) -> None:
    """Show the page's address with its token, once, and as a code for a tablet's camera."""
    from ward.qr import qr_lines

    say(f"the page: {server.link}", "Its token holds until this program ends; who has it can look.")
    if server.address.loopback:
        return
    if not server.address.tls:
        say(
            "Without TLS anybody in the network can read along: "
            "give --tls-certificate and --tls-key, or serve it in a network of your own."
        )
    if words().isatty():
        say(*qr_lines(server.link))
