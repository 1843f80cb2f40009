# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg demo`: the main job on the bundled recording, with a window or without."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gui.app import why_no_display
from mecg.app.first_seconds import FirstSeconds
from mecg.app.models import network_of
from mecg.app.options import ReplayOptions, SessionOptions, SourceOptions
from mecg.app.session_builder import (
    BUNDLED_RECORDING,
    pipeline_of,
    raise_failure,
    replay_of,
    source_of,
    vitals_of,
)
from mecg.app.terminal import put, say, words
from mecg.cli.help_text import Help
from mecg.cli.monitor import show
from mecg.cli.options import WindowOptions
from streamer.core.errors import InputError
from streamer.core.leads import canonical_lead
from streamer.core.stream import Frame
from streamer.export.page import Page, render_png
from streamer.export.wfdb_sink import WfdbSink
from streamer.formats.atomic_write import refuse_folder, write_whole
from streamer.formats.wfdb_header import read_header
from streamer.session.description import SessionDescription
from streamer.session.session import Session, SessionReport
from streamer.session.sink import Sink
from streamer.session.source_words import kind_words
from streamer.session.status_line import StatusLine

OUT = Path("out") / "demo"
SECONDS = 20.0


class PageSink(Sink):
    """Keeps the last 10 s, for a page at the end."""

    name = "page"
    seconds = 10.0

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()

    def open(self, description: SessionDescription) -> None:
        """Note what the page must say."""
        self._description = description

    def frame(self, frame: Frame) -> None:
        """Keep it, and let go of what is too old."""
        self._frames.append(frame)
        while frame.stop - self._frames[0].stop >= self.seconds * frame.rate_hz:
            self._frames.popleft()

    def png(self) -> bytes:
        """The page, once something has come."""
        about = self._description
        stream = about.stream
        scale_mv = np.concatenate([frame.scale_mv for frame in self._frames], axis=1)
        return render_png(
            Page(
                band_mv=about.half_width_mv(scale_mv, "0.9"),
                leads_mv=np.concatenate([frame.leads_mv for frame in self._frames], axis=1),
                rate_hz=about.rate_hz,
                measured_mv=np.concatenate([frame.measured_mv for frame in self._frames]),
                source=stream.source,
                kind=kind_words(stream, stream.speed),
                lead=canonical_lead(stream.lead) or stream.lead,
                is_lead_i=stream.is_lead_i,
                filters=about.filters,
                model=about.model_in_words,
                latency=f"{about.latency.total_ms:.0f} ms algorithmic",
                caution=about.caution,
            )
        )


def headless(out: Path = OUT, seconds: float = SECONDS, speed: float = 1.0) -> int:
    """The live path at real speed, with its results as files; returns the exit code.

    Parameters
    ----------
    out : Path
        The folder for the record, the page and the latency summary; made, or overwritten.
    seconds, speed : float
        How much of the recording, and how fast.
    """
    refuse_folder(out)
    source = FirstSeconds(source_of(SourceOptions(), replay_of(_replay(speed))), seconds)
    info = source.open()
    network = network_of(None)
    pipeline = pipeline_of(info, network)
    description = SessionDescription.of(info, network.spec, pipeline.latency)
    session = Session(source, pipeline, description, vitals=vitals_of(description))
    page = PageSink()
    session.attach(WfdbSink(out, BUNDLED_RECORDING.name, force=True))
    session.attach(page)
    session.attach(StatusLine(words(), lambda: pipeline.lost))
    report = session.run()
    raise_failure(report)
    write_whole(out / "page.png", page.png())
    write_whole(out / "latency.json", f"{json.dumps(report.latency_summary(), indent=1)}\n".encode())
    _say(out, report)
    return 0


def _say(out: Path, report: SessionReport) -> None:
    algorithmic_ms, measured = report.description.latency.total_ms, report.end_to_end_ms
    samples = report.samples_in + report.lost
    put(f"12-lead WFDB record  {out / BUNDLED_RECORDING.name}.hea")
    put(f"12-lead page         {out / 'page.png'}")
    put(f"latency summary      {out / 'latency.json'}")
    put(
        f"latency: {algorithmic_ms:.1f} ms algorithmic + {measured['p50']:.1f} ms measured "
        f"(p99 {measured['p99']:.1f} ms); {report.lost} of {samples} samples lost"
    )


HELP = Help(
    about=(
        "The main job on the bundled recording: in a window if there is a display, else for 20 s without "
        "one, with a 12-lead record, a page and a latency summary in out/demo. It takes no options."
    ),
    examples=("mecg demo",),
)


def add_options(parser: ArgumentParser) -> None:
    """None: it shows what there is to show."""


@dataclass(frozen=True, slots=True)
class Options:
    """There are none."""


def run(options: Options) -> int:
    """The window if there can be one; else one line that says why not, and the files."""
    reason = why_no_display()
    if reason is None:
        return show(SessionOptions(replay=_replay()), WindowOptions())
    say(f"{reason}; running without a window for {SECONDS:g} s instead")
    return headless()


def _replay(speed: float = 1.0) -> ReplayOptions:
    """Once; a recording that is too short for a demonstration, again and again."""
    try:
        about = read_header(BUNDLED_RECORDING)
    except InputError:  # `source_of` says what to do
        return ReplayOptions(speed=speed)
    short = about.samples is not None and about.samples < SECONDS * about.rate_hz
    return ReplayOptions(speed=speed, loop=short)
