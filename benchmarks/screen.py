# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the monitor takes to paint: 12 leads, 10 s and more, 1920x1080, fed at 62 frames a second.

    QT_QPA_PLATFORM=offscreen python -m benchmarks.screen --seconds 20
    QT_QPA_PLATFORM=offscreen python -m benchmarks.screen --keys tsll     # truth, scrolling, 12x1
    QT_QPA_PLATFORM=offscreen python -m benchmarks.screen --keys vsll     # plausible alternatives, likewise
    QT_QPA_PLATFORM=offscreen python -m benchmarks.screen --minutes 30    # memory, as fast as it goes
    python -m benchmarks.screen_keys                                      # keys at 3840x2160, and the start
    python -m benchmarks.screen --gaps                                    # the delay after gaps

Prints JSON: the paper's paint time, the interval between paints, the whole tick, from a frame's arrival to
the pixel (less the stated display delay), and the share of a core of the whole process, the feeding thread
included.  With ribbons and measured leads beside every frame.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import psutil
from PyQt6.QtCore import QObject, QTimer
from PyQt6.QtGui import QPaintEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from benchmarks import screen_keys
from benchmarks.measure import ROOT, Effort, Row
from gui.paper.geometry import shown_s
from gui.paper.view import PaperView
from gui.signal.followed_stream import FollowedStream
from gui.signal.inbox import Inbox, Item
from gui.signal.playout import BREAK_S
from gui.window import MonitorWindow
from streamer.core.events import Beat, State, StateChanged
from streamer.core.network.alternatives import Plausible
from streamer.core.network.latency import LatencyBudget
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.session.description import SessionDescription

RATE_HZ = 250.0
HOP = 4
"""Samples of a frame, as the model's."""


def twelve_leads(start: int, n: int) -> np.ndarray:
    """Beats of usual sizes with a little noise, at absolute indices, mV."""
    t = (np.arange(start, start + n) / RATE_HZ) % 0.8
    beat = (
        1.2 * np.exp(-(((t - 0.30) / 0.011) ** 2))
        - 0.5 * np.exp(-(((t - 0.33) / 0.013) ** 2))
        + 0.3 * np.exp(-(((t - 0.55) / 0.05) ** 2))
        + 0.1 * np.exp(-(((t - 0.16) / 0.03) ** 2))
    )
    noise = np.random.default_rng(start).normal(0.0, 0.01, (12, n))
    return (np.linspace(-0.8, 1.6, 12)[:, None] * beat + noise).astype(np.float32)


class Beside:
    """A truth: every lead, a little off."""

    frame = "input band"

    def push(self, chunk: Chunk) -> None:
        """Nothing: it is made up."""

    def at(self, start: int, stop: int) -> np.ndarray:
        """All twelve."""
        return twelve_leads(start, stop - start) * np.float32(1.1)


def description() -> SessionDescription:
    """Of a made-up session with bands."""
    return SessionDescription(
        stream=StreamInfo("benchmark", RATE_HZ),
        model="none",
        model_version="0",
        rate_hz=RATE_HZ,
        latency=LatencyBudget(56.0, 0.0, 16.0, 0.0, 72.0, 10.0),
        filters="0.5-40 Hz",
        bands={"0.9": (2.0,) * 12},
        plausible=Plausible(np.random.default_rng(0).normal(0, 0.3, (8, 7, 8)), 1.2).to_json(),
    )


def made(index: int, n: int) -> Frame:
    """A frame of beats."""
    leads_mv, now_s = twelve_leads(index, n), time.monotonic()
    return Frame(
        index,
        RATE_HZ,
        leads_mv,
        leads_mv[0],
        np.full_like(leads_mv, 0.05),
        np.ones(n, np.bool_),
        np.zeros(n, np.bool_),
        now_s - n / RATE_HZ,
        now_s,
    )


def feed(inbox: Inbox, stop: threading.Event, came: deque[tuple[int, float]]) -> None:
    """Frames as they would come from a live source, each hop by itself."""
    inbox.event(StateChanged(State.LIVE, "live"))
    for index in range(0, round(25 * RATE_HZ), 250):  # 25 s are there at once
        inbox.frame(made(index, 250))
    stop.wait(1.1 * BREAK_S)  # else the screen would hold back what came at once
    begun_s, index = time.monotonic(), round(25 * RATE_HZ)
    while not stop.is_set():
        due = round(25 * RATE_HZ + (time.monotonic() - begun_s) * RATE_HZ)
        while index + HOP <= due:
            inbox.frame(made(index, HOP))
            index += HOP
            came.append((index, time.monotonic()))
        stop.wait(max(0.0, begun_s + (index + HOP) / RATE_HZ - 25.0 - time.monotonic()))


class _ClockedInbox(Inbox):
    """Stamps with a clock that is set by hand."""

    now_s = 0.0

    def _put(self, *items: Item) -> None:
        self._waiting.extend((self.now_s, item) for item in items)


def late_after(gap_s: float) -> float:
    """By how much more than before the picture is late, 1 s to 3 s after a gap of so much lost signal."""
    info, inbox, hop_s = StreamInfo("benchmark", RATE_HZ, live=True), _ClockedInbox(), HOP / RATE_HZ
    stream = FollowedStream(inbox, info, 0.0)
    begins, gap = round(12 / hop_s), round(gap_s / hop_s)
    before_s, after_s = 0.0, 0.0
    for k in [*range(begins), *range(begins + gap, begins + gap + round(3 / hop_s))]:
        inbox.now_s = (k + 1) * hop_s
        if k == begins + gap:  # what was lost comes with the first packet behind it, a second a frame
            for start in range(begins * HOP, k * HOP, round(RATE_HZ)):
                lost = made(start, min(round(RATE_HZ), k * HOP - start))
                inbox.frame(replace(lost, valid=np.zeros_like(lost.valid)))
        inbox.frame(made(k * HOP, HOP))
        stream.take(lambda at_s, frame: None, lambda event, changed: None)
        late_s = inbox.now_s - (stream.edge_s(inbox.now_s) or 0.0)
        if k < begins:
            before_s = late_s
        elif inbox.now_s > (begins + gap + 1) * hop_s + 1.0:
            after_s = max(after_s, late_s)
    return after_s - before_s


GAPS_S = (0.1, 0.5, 1.0, 1.9, 3.0, 6.0, 20.0, 60.0, 600.0, 3600.0)


def delay_row() -> Row:
    """The delay after gaps, on a clock of its own: nothing of it depends on the machine."""
    late_s = [late_after(gap_s) for gap_s in GAPS_S]
    return Row(
        f"the picture 1 s after gaps of {', '.join(f'{gap_s:g}' for gap_s in GAPS_S)} s",
        "<= 0.3 s later than before the gap",
        f"at most {1e3 * max(late_s):.0f} ms later",
        max(late_s) <= 0.3,
    )


WAYS = (
    ("3x4 with a rhythm strip, sweeping", ""),
    ("12x1, sweeping, with truth", "llt"),
    ("12x1, scrolling, with truth", "llst"),
)
"""What is measured, and the keys that lead there."""


def rows(effort: Effort) -> Iterator[Row]:
    """Every row of this part."""
    yield delay_row()
    yield from screen_keys.rows(effort)
    for way, keys in WAYS:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "benchmarks.screen",
                f"--seconds={min(effort.seconds, 20.0)}",
                f"--keys={keys}",
            ],
            cwd=ROOT,
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
            capture_output=True,
            text=True,
            check=False,
        )
        what = f"the monitor, 1920x1080 at 30 frames a second, ribbons: {way}"
        bar = "paint p99 <= 15 ms, between paints p99 <= 45 ms, to the pixel p99 <= 60 ms, <= 35 % of a core"
        if done.returncode:
            yield Row(what, bar, f"not measured: {done.stderr.strip().splitlines()[-1]}")
            continue
        found = json.loads(done.stdout)
        paint, between, seen = found["paint_ms"], found["interval_ms"], found["arrival_to_pixel_ms"]
        yield Row(
            what,
            bar,
            f"paint p50 {paint['p50']:.1f}, p99 {paint['p99']:.1f} ms; between paints p99 "
            f"{between['p99']:.1f} ms; to the pixel p99 {seen['p99']:.0f} ms; "
            f"{found['share_of_a_core']:.0%} of a core",
            paint["p99"] <= 15
            and between["p99"] <= 45
            and seen["p99"] <= 60
            and found["share_of_a_core"] <= 0.35,
        )


class Watch:
    """Times the paints and ticks of a window, and from each frame's arrival to its picture.

    Both methods of the window's classes are taken over: this process measures, and ends.
    """

    def __init__(self) -> None:
        self.came: deque[tuple[int, float]] = deque()
        """Frames that are not seen yet: where each ends, and when it came."""
        self._paints: list[tuple[float, float, float]] = []
        self._parts: list[tuple[float, float, float]] = []  # of one picture, painted piece by piece
        self._ticks: list[float] = []
        self._seen_ms: list[float] = []
        self._began = (0.0, 0.0, 0.0)
        self._time_paints()
        self._time_ticks()

    def _time_paints(self) -> None:
        paint = PaperView.paintEvent

        def timed(view: PaperView, event: QPaintEvent) -> None:
            began_s, cpu_s = time.perf_counter(), time.thread_time()
            paint(view, event)
            self._parts.append((began_s, time.perf_counter() - began_s, time.thread_time() - cpu_s))
            if view.painted is not None:
                self._whole()

        PaperView.paintEvent = timed

    def _time_ticks(self) -> None:
        tick = MonitorWindow.tick

        def timed(window: MonitorWindow) -> None:
            began_s = time.perf_counter()
            tick(window)
            self._ticks.append(time.perf_counter() - began_s)

        MonitorWindow.tick = timed

    def _whole(self) -> None:
        if self._parts:
            took_s, cpu_s = (sum(part[i] for part in self._parts) for i in (1, 2))
            self._paints.append((self._parts[0][0], took_s, cpu_s))
            self._parts.clear()

    def painted(self, window: MonitorWindow, newest: int) -> None:
        """A picture is whole, and shows what came up to there."""
        self._whole()
        now_s, playout = time.monotonic(), window.stream.playout
        held_s = 0.0 if playout is None else playout.display_delay_s
        while self.came and self.came[0][0] <= newest:
            self._seen_ms.append(1e3 * (now_s - self.came.popleft()[1] - held_s))

    def begin(self) -> None:
        """Forget what was before."""
        self._began = time.process_time(), time.perf_counter(), peak_mb()
        for times in (self._paints, self._ticks, self._seen_ms):
            times.clear()

    def report(self) -> dict[str, float | dict[str, float]]:
        """All figures since it began."""
        cpu_s, wall_s = time.process_time() - self._began[0], time.perf_counter() - self._began[1]
        at, took, busy = np.array(self._paints).T * 1e3
        return {
            "paints_per_s": round(len(self._paints) / wall_s, 2),
            "paint_ms": quantiles(took),
            "paint_cpu_ms": quantiles(busy),
            "interval_ms": quantiles(np.diff(at)),
            "tick_ms": quantiles(np.array(self._ticks) * 1e3),
            "arrival_to_pixel_ms": quantiles(np.array(self._seen_ms)),
            "share_of_a_core": round(cpu_s / wall_s, 3),
            "peak_memory_mb": round(peak_mb(), 1),
            "peak_memory_grew_mb": round(peak_mb() - self._began[2], 1),
        }


def watched(seconds: float, keys: str) -> dict[str, float | dict[str, float]]:
    """A window on a live stream, after some keys: its times in so many seconds, the first five left out."""
    app, watch = QApplication([]), Watch()
    inbox, stop = Inbox(truth=Beside()), threading.Event()
    inbox.open(description())
    window = MonitorWindow(inbox, StreamInfo("benchmark", RATE_HZ), "no model", 0.0, stop.set, 96 / 25.4)
    window.paper.painted = lambda newest, _: watch.painted(window, newest)
    window.resize(1920, 1080)
    window.show()
    QTest.keyClicks(window, keys)
    threading.Thread(target=feed, args=(inbox, stop, watch.came), daemon=True).start()
    found: dict[str, float | dict[str, float]] = {}

    def end() -> None:
        try:
            found["shown_s"] = round(shown_s(window.paper.sheet.areas[0], window.paper.look.scale), 2)
            found.update(watch.report())
        finally:
            window.close()

    keep = QObject()
    for delay_s, then in ((5.0, watch.begin), (5.0 + seconds, end)):
        timer = QTimer(keep)
        timer.setSingleShot(True)
        timer.timeout.connect(then)
        timer.start(round(1e3 * delay_s))
    app.exec()
    return found


def main() -> None:
    """Run, print, end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--keys", default="", help="keys to press first, such as ld")
    parser.add_argument("--gaps", action="store_true", help="the delay after gaps instead")
    parser.add_argument("--minutes", type=float, help="so much of a stream instead, as fast as it goes")
    arguments = parser.parse_args()
    if arguments.gaps:
        found: object = {f"late_after_{gap_s:g}_s": round(late_after(gap_s), 3) for gap_s in GAPS_S}
    elif arguments.minutes is not None:
        found = grown(arguments.minutes, arguments.keys)
    else:
        found = watched(arguments.seconds, arguments.keys)
    print(json.dumps(found, indent=2))


def grown(minutes: float, keys: str) -> dict[str, float]:
    """Memory of a window that sees so much of a stream, fifteen times as fast as it would come."""
    app = QApplication([])
    inbox = Inbox(truth=Beside())
    inbox.open(description())
    window = MonitorWindow(inbox, StreamInfo("benchmark", RATE_HZ), "", 0.0, lambda: None, 96 / 25.4)
    window.timer.stop()
    window.resize(1920, 1080)
    window.show()
    QTest.keyClicks(window, keys)
    n, after_mb = 125, []
    for index in range(0, round(minutes * 60 * RATE_HZ), n):
        inbox.frame(made(index, n))
        if index % 250 == 0:
            inbox.event(Beat(75.0, at_s=index / RATE_HZ))
        window.tick()
        app.processEvents()
        if (index // n) % 60 == 0:
            after_mb.append(now_mb())
    window.close()
    # Ten minutes fill what is kept; from then on nothing may grow.
    full = len(after_mb) * min(10.0 / minutes, 0.5)
    return {
        "minutes": minutes,
        "after_ten_mb": round(after_mb[int(full)], 1),
        "at_the_end_mb": round(after_mb[-1], 1),
        "grew_mb": round(after_mb[-1] - after_mb[int(full)], 1),
    }


def now_mb() -> float:
    """What this process holds now."""
    return psutil.Process().memory_info().rss / 2**20


def peak_mb() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def quantiles(values: np.ndarray) -> dict[str, float]:
    """The median and the 99th percentile."""
    return {"p50": round(float(np.median(values)), 2), "p99": round(float(np.quantile(values, 0.99)), 2)}


if __name__ == "__main__":
    main()
