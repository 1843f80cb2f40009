# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves the page of some beds, and tells the user where it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gui.theme import ALARM_HIGH, ALARM_INKS, ALARM_MEDIUM, ALARM_TECHNICAL, DARK, LIGHT
from mecg.app.terminal import say, words
from streamer.core.errors import InputError
from ward.bed import Bed, Beds
from ward.history import History

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


_ALARM_COLOURS = {
    name: colour
    for kind, ground in (("high", ALARM_HIGH), ("medium", ALARM_MEDIUM), ("technical", ALARM_TECHNICAL))
    for name, colour in ((f"alarm_{kind}", ground), (f"alarm_{kind}_ink", ALARM_INKS[ground]))
}


def page_server(beds: Beds, options: ServeOptions, history: History | None = None) -> WardServer:
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
    look = {theme.name: asdict(theme) | _ALARM_COLOURS for theme in (LIGHT, DARK)}
    return WardServer(beds, serving, look, say, history)


@contextmanager
def page_of_one_bed(options: ServeOptions) -> Iterator[Bed | None]:
    """Serve a page for one session within the block.

    Yields
    ------
    Bed or None
        To be filled by the session; None if no page is wanted.

    Raises
    ------
    InputError
        As `page_server`.
    """
    if options.serve is None:
        if options.tls_certificate or options.tls_key or options.allow:
            raise InputError("TLS and --allow are of the page: say where it is, with --serve ADDRESS:PORT")
        yield None
        return
    beds = Beds()
    bed = beds.add("Bed")
    server = page_server(beds, options)
    server.start()
    say_where(server, bed)
    try:
        yield bed
    finally:
        server.stop()


def say_where(server: WardServer, bed: Bed | None = None) -> None:
    """Show the page's address with its token, once, and as a code for a tablet's camera.

    Parameters
    ----------
    bed : Bed, optional
        Opened at once.
    """
    from ward.qr import qr_lines

    link = server.link if bed is None else f"{server.link}&bed={bed.number}"
    say(f"the page: {link}", "Its token holds until this program ends; who has it can look.")
    if server.address.loopback:
        return
    if not server.address.tls:
        say(
            "Without TLS anybody in the network can read along: "
            "give --tls-certificate and --tls-key, or serve it in a network of your own."
        )
    if words().isatty():
        say(*qr_lines(link))
