# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg devices`: what can be connected to, over Bluetooth, LSL and serial ports."""

from __future__ import annotations

import dataclasses
import threading
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass

from devices.registry import SCANS
from mecg.app.terminal import put, put_json, say
from mecg.cli.argument_types import positive
from mecg.cli.exit_codes import error_line
from mecg.cli.help_text import Help
from streamer.core.errors import InputError
from streamer.core.printable import printable
from streamer.session.source import ScanResult

Scan = Callable[[float], list[ScanResult]]


class _Beside:
    """A scan in a thread that Ctrl-C need not wait for."""

    def __init__(self, scan: Scan, seconds: float) -> None:
        self._found: list[ScanResult] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(scan, seconds), daemon=True)
        self._thread.start()

    def _run(self, scan: Scan, seconds: float) -> None:
        try:
            self._found = scan(seconds)
        except Exception as error:  # noqa: BLE001 - raised for the waiting caller
            self._error = error

    def result(self) -> list[ScanResult]:
        """What was found; raises what the scan did."""
        while self._thread.is_alive():
            self._thread.join(0.2)  # an endless wait could not be interrupted on Windows
        if self._error is not None:
            raise self._error
        return self._found


HELP = Help(
    about=(
        "Looks for what can be connected to, over Bluetooth, LSL and serial ports at the same time, and "
        "lists each with the SOURCE to name, what it is, and why it cannot be used if it cannot. What "
        "cannot be searched is said on stderr."
    ),
    examples=(
        "mecg devices",
        "mecg devices --seconds 10 --json",
    ),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("--seconds", type=positive, default=5.0, metavar="N", help="how long to look (5)")
    parser.add_argument("--json", action="store_true", help="as JSON")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    seconds: float
    json: bool


def run(options: Options) -> int:
    """Scan all at the same time and list what is there; what cannot be scanned says so."""
    scans = [_Beside(scan, options.seconds) for scan in SCANS.values()]
    found: list[ScanResult] = []
    for scan in scans:
        try:
            found += scan.result()
        except InputError as error:
            say(error_line(error))
    if options.json:
        put_json([dataclasses.asdict(one) for one in found])
    elif found:
        put(*_table(found))
    else:
        say(f"nothing was found in {options.seconds:g} s")
    return 0


def _table(found: list[ScanResult]) -> list[str]:
    rows = [("SOURCE", "NAME", "RATE", "RSSI", "")]
    rows += [
        (
            _cell(one.source) or "-",
            _cell(one.name),
            "-" if one.rate_hz is None else f"{one.rate_hz:g} Hz",
            "-" if one.rssi is None else f"{one.rssi} dBm",
            _cell(one.words),
        )
        for one in sorted(found, key=lambda one: (not one.ecg, not one.source))
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return ["  ".join((*map(str.ljust, row, widths), row[4])).rstrip() for row in rows]


def _cell(text: str) -> str:
    """Names come from the air: no control characters for the terminal."""
    return printable(text)
