# SPDX-License-Identifier: MIT
"""A status line for a person: how the session fares, several times a second."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from math import isfinite, nan
from typing import TextIO

from streamer.run.histogram import Histogram
from streamer.run.sink import SessionDescription
from streamer.stream import Chunk, Event, Frame, Quality, State

LIVE_S = 0.2
"""Between two rewritings of the line on a terminal ..."""

PLAIN_S = 1.0
"""... and between two lines in a log."""

BEAT_S = 4.5
"""After so long without a beat the heart rate is unknown."""


class StatusLine:
    """Rewrites one line in place on a terminal; writes a plain line each second elsewhere.

    Events but beats get lines of their own.  All writing is done by a thread of its own: the age of
    the newest sample goes on growing when nothing comes, and a terminal that is held costs nobody
    anything.

    Parameters
    ----------
    out : text stream
        Usually standard error.
    lost : callable
        How many samples were lost so far.
    """

    name = "status line"

    def __init__(self, out: TextIO, lost: Callable[[], int]) -> None:
        self._out = out
        self._in_place = out.isatty()
        self._lost = lost
        self._changed = threading.Condition()
        self._painter = threading.Thread(target=self._paint_on, name="status painter", daemon=True)
        self._failure: OSError | None = None
        self._closing = False
        self._said: list[str] = []
        self._state = State.WAITING
        self._stop = 0
        self._beat: Event | None = None
        self._wrong: frozenset[Quality] | None = None
        self._newest_s = nan
        self._frame_s = 0.0
        self._latency_ms = nan
        self._latencies = Histogram()

    def open(self, description: SessionDescription) -> None:
        """Start to paint."""
        self._rate_hz = description.stream.rate_hz
        self._algorithmic_ms = description.latency.total_ms
        self._painter.start()

    def chunk(self, chunk: Chunk) -> None:
        """Note how far the stream has come, and when."""
        with self._changed:
            if self._state in (State.WAITING, State.CONNECTING):
                self._state = State.LIVE
            self._stop = chunk.stop
            stamped_s = chunk.device_s + len(chunk.lead_mv) / self._rate_hz
            self._newest_s = stamped_s if isfinite(stamped_s) else chunk.arrival_s

    def frame(self, frame: Frame) -> None:
        """Take the time since the newest sample that this frame needed arrived."""
        self._frame_s = frame.stop / frame.rate_hz
        if isfinite(frame.arrival_s):
            with self._changed:
                self._latency_ms = 1e3 * (time.monotonic() - frame.arrival_s)
                self._latencies.add(self._latency_ms)

    def event(self, event: Event) -> None:
        """Have it written at once.

        Raises
        ------
        OSError
            What had failed before could not be written.
        """
        with self._changed:
            if event.state is not None:
                self._state = event.state
            if event.kind == "beat":
                self._beat = event
                return
            if event.quality is not None:
                self._wrong = event.quality
            self._said.append(event.text)
            self._changed.notify()
            if self._failure is not None:
                raise self._failure

    def close(self) -> None:
        """Write the last line and stop painting; raises as `event`."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._painter.ident is not None:
            self._painter.join()
        if self._failure is not None:
            raise self._failure

    def text(self) -> str:
        """The line as it is now."""
        with self._changed:
            parts = [self._state.value, f"{self._rate_hz:g} Hz", f"{self._stop / self._rate_hz:.1f} s"]
            parts.append(f"HR {self._rate_words()}")
            parts.append(f"quality {self._quality_words()}")
            parts.append(f"lost {self._lost()}")
            if self._latencies.count:
                now_ms, p99_ms = self._latency_ms, self._latencies.quantile(0.99)
                parts.append(
                    f"latency {self._algorithmic_ms:.0f} ms + {now_ms:.1f} ms now, {p99_ms:.1f} ms p99"
                )
            if isfinite(self._newest_s) and self._state is not State.ENDED:
                age_s = max(time.monotonic() - self._newest_s, 0.0)
                parts.append(f"newest sample {age_s:.2f} s old")
            return " | ".join(parts)

    def _rate_words(self) -> str:
        """The heart rate of a beat that is not long ago."""
        beat = self._beat
        if beat is None or not isfinite(beat.value) or self._frame_s - beat.at_s > BEAT_S:
            return "--"
        return f"{beat.value:.0f}"

    def _quality_words(self) -> str:
        if self._wrong is None:
            return "--"
        return ", ".join(sorted(flag.value for flag in self._wrong)) or "good"

    def _paint_on(self) -> None:
        closing = False
        while not closing:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._said or self._closing, LIVE_S if self._in_place else PLAIN_S
                )
                said, self._said, closing = self._said, [], self._closing
            try:
                self._paint(said, closing)
            except OSError as error:
                with self._changed:
                    self._failure = error  # raised where the session sees it, in `event` or `close`
                return

    def _paint(self, said: list[str], last: bool) -> None:
        begin = "\r\x1b[K" if self._in_place else ""
        lines = [f"{begin}{text}\n" for text in said]
        if self._in_place:
            room = shutil.get_terminal_size().columns - 1
            lines.append(f"{begin}{self.text()[:room]}")
            lines.append("\n" * last)
        elif last or not said:
            lines.append(f"{self.text()}\n")
        self._out.write("".join(lines))
        self._out.flush()
