# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of options that several commands share; each fills the data class of `mecg.app.options` it names."""

from __future__ import annotations

from argparse import ArgumentParser, _ArgumentGroup
from dataclasses import dataclass
from pathlib import Path

from mecg.cli.argument_types import (
    address,
    folder,
    from_zero,
    latency,
    positive,
    processes,
    speed,
    stream_name,
    unit,
)
from streamer.core.network.parts import ALL_BANDS, BANDS
from streamer.model_files import LATENCIES
from streamer.recording.folder import default_folder


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How long the window stays, and what is left of it."""

    screenshot: Path | None = None
    seconds: float | None = None
    force: bool = False

    def settings(self) -> dict[str, object]:
        """By option."""
        return {"--screenshot": self.screenshot, "--seconds": self.seconds, "--force": self.force}


def add_source(parser: ArgumentParser) -> None:
    """`SourceOptions` and `ModelOptions`."""
    add_source_text(parser)
    add_reading(parser)
    add_unit_and_rate(parser)
    add_identity(parser)


def add_source_text(parser: ArgumentParser) -> None:
    """The SOURCE itself."""
    parser.add_argument("text", nargs="?", metavar="SOURCE", help="the bundled recording if left out")


def add_reading(parser: ArgumentParser) -> None:
    """`SourceOptions` without the SOURCE, and `ModelOptions`."""
    add_lead(parser)
    add_placement(parser)
    add_model(parser)
    add_bands(parser)
    add_calibration(parser)


def add_lead(parser: ArgumentParser) -> None:
    """Which lead, and its polarity."""
    parser.add_argument("--lead", metavar="NAME", help="measured lead; Lead I if left out")
    parser.add_argument("--invert", action="store_true", help="turn its polarity")


def add_placement(parser: ArgumentParser) -> None:
    """Where the electrodes sit."""
    parser.add_argument("--placement", choices=("arms", "chest"), help="where the electrodes sit")


def add_unit_and_rate(parser: ArgumentParser) -> None:
    """What the numbers are in and how many come a second, if the source does not state it."""
    parser.add_argument(
        "--unit",
        dest="unit_mv",
        type=unit,
        metavar="UNIT",
        help="what the source's numbers are in, if it does not say: uV, mV, V, nV, or how many mV a step is",
    )
    parser.add_argument(
        "--rate",
        dest="rate_hz",
        type=positive,
        metavar="HZ",
        help="the sampling rate, if a file does not state it",
    )


def add_identity(parser: ArgumentParser) -> None:
    """Whether whose recording it is goes along."""
    parser.add_argument(
        "--keep-identity",
        action="store_true",
        help="let the name, birth date, ids and serial numbers in a file go into what is made of it",
    )


def add_model(parser: ArgumentParser) -> None:
    """Which model."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", type=Path, metavar="FILE", help="another model than the bundled ones")
    which.add_argument(
        "--latency",
        dest="model",
        type=latency,
        metavar="|".join(LATENCIES),
        help="which bundled model: the longer it looks ahead, the closer it comes (low)",
    )


def add_bands(parser: ArgumentParser) -> None:
    """How much of the model runs."""
    parser.add_argument(
        "--bands",
        choices=BANDS,
        default=ALL_BANDS,
        help="how much of the model runs: what hears Lead I below 5 Hz, below 15 Hz, or all of it (all)",
    )


def add_calibration(parser: ArgumentParser) -> None:
    """Whose calibration."""
    parser.add_argument(
        "--calibration", type=Path, metavar="FILE", help="a person's, as mecg calibrate writes it"
    )


def add_replay(parser: ArgumentParser) -> None:
    """`ReplayOptions`."""
    replay = parser.add_argument_group("of what is played back (wfdb:, synthetic:, session:)")
    add_pace(replay)
    replay.add_argument("--loop", action="store_true", help="from the end on again from there")
    replay.add_argument(
        "--drop",
        metavar="SHARE[:LENGTH]",
        help="leave out 5%% of the packets singly, or 5%%:2s in stretches of 2 s, to rehearse a bad link",
    )


def add_pace(parser: ArgumentParser | _ArgumentGroup) -> None:
    """How fast, and from where."""
    parser.add_argument("--speed", type=speed, default=1.0, metavar="X|max", help="1 is real time (1)")
    parser.add_argument(
        "--start", dest="start_s", type=from_zero, default=0.0, metavar="SECONDS", help="where to begin (0)"
    )


def add_outputs(parser: ArgumentParser) -> None:
    """What becomes of the leads: the rest of `SessionOptions`."""
    parser.add_argument(
        "--lsl-out",
        nargs="?",
        const="mecg",
        type=stream_name,
        metavar="NAME",
        help="send the twelve leads as an LSL stream (mecg); anybody who reaches this machine can read it",
    )
    add_record(parser)
    parser.add_argument(
        "--as-recorded", action="store_true", help="of session: the twelve leads as recorded, none made again"
    )


def add_record(parser: ArgumentParser) -> None:
    """Whether and where it is recorded."""
    parser.add_argument(
        "--record",
        nargs="?",
        const=str(default_folder()),
        type=folder,
        metavar="DIR",
        help="record the session in a new file in DIR, or in the user's own folder; see mecg sessions",
    )


def add_serving(parser: ArgumentParser, usual: str) -> None:
    """`mecg.app.page_server.ServeOptions`; ``usual`` is what holds without ``--serve``."""
    page = parser.add_argument_group("the page in the browser")
    page.add_argument(
        "--serve",
        type=address,
        metavar="ADDRESS:PORT",
        help=f"where it is, such as 0.0.0.0:8912 for other machines too ({usual})",
    )
    page.add_argument(
        "--tls-certificate", type=Path, metavar="FILE", help="serve it by TLS: PEM, with its chain"
    )
    page.add_argument("--tls-key", type=Path, metavar="FILE", help="the certificate's key, PEM")
    page.add_argument(
        "--allow", action="append", choices=("silence",), default=[], help="let viewers silence alarms"
    )


def add_seconds(parser: ArgumentParser) -> None:
    """When to stop."""
    parser.add_argument("--seconds", type=positive, metavar="N", help="stop after N seconds of signal")


def add_window(parser: ArgumentParser) -> None:
    """`WindowOptions`."""
    parser.add_argument(
        "--screenshot", type=Path, metavar="FILE", help="write a picture of it at the end (PNG)"
    )
    parser.add_argument("--seconds", type=positive, metavar="N", help="close it after N seconds")
    add_force(parser, "the picture")


def add_force(parser: ArgumentParser, what: str = "what is there") -> None:
    """Whether files are overwritten."""
    parser.add_argument("--force", action="store_true", help=f"overwrite {what}")


def add_jobs(parser: ArgumentParser | _ArgumentGroup) -> None:
    """How many processes."""
    parser.add_argument("--jobs", type=processes, default=1, metavar="N|auto", help="processes at a time (1)")
