# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the monitor takes to paint: 12 leads, 10 s and more, 1920x1080, fed at 30 fps.

    QT_QPA_PLATFORM=offscreen python -m benchmarks.screen --seconds 20

Prints JSON: the paper's paint time, the interval between paints, the whole tick, and the share of a core
of the whole process (the feeding thread included).
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
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import ROOT, Effort, Row
from gui.inbox import Inbox
from streamer.stream import Event, Frame, State, StreamInfo

RATE_HZ = 250.0
FEED_FPS = 30


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


def feed(inbox: Inbox, stop: threading.Event) -> None:
    """Frames as they would come from a live source."""
    began_s, index = time.monotonic(), 0
    inbox.event(Event("state", "live", state=State.LIVE))
    while not stop.is_set():
        due = int((time.monotonic() - began_s + 25.0) * RATE_HZ)  # 25 s are there at once
        n = due - index
        if n > 0:
            leads_mv = twelve_leads(index, n)
            nothing = np.full_like(leads_mv, np.nan)
            now_s = time.monotonic()
            inbox.frame(
                Frame(
                    index,
                    RATE_HZ,
                    leads_mv,
                    leads_mv[0],
                    nothing,
                    np.ones(n, np.bool_),
                    np.zeros(n, np.bool_),
                    now_s - n / RATE_HZ,
                    now_s,
                )
            )
            index = due
        stop.wait(1 / FEED_FPS)


def rows(effort: Effort) -> Iterator[Row]:
    """Every row of this part."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.screen", "--seconds", str(min(effort.seconds, 20.0))],
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    what = "the monitor, 12 leads on 1920x1080 at 30 frames a second, painted by the processor"
    if done.returncode:
        yield Row(what, "", f"not measured: {done.stderr.strip().splitlines()[-1]}")
        return
    found = json.loads(done.stdout)
    paint, between = found["paint_ms"], found["interval_ms"]
    yield Row(
        what,
        "",
        f"paint p50 {paint['p50']:.1f}, p99 {paint['p99']:.1f} ms; between paints p50 {between['p50']:.1f}, "
        f"p99 {between['p99']:.1f} ms; {found['share_of_a_core']:.0%} of a core",
    )


def main() -> None:
    """Run, print, end."""
    from PyQt6.QtCore import QObject, QTimer
    from PyQt6.QtGui import QPaintEvent
    from PyQt6.QtWidgets import QApplication

    from gui.monitor_window import MonitorWindow
    from gui.paper import shown_s
    from gui.paper_view import PaperView

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--keys", default="", help="keys to press first, such as ld")
    arguments = parser.parse_args()

    paints: list[tuple[float, float]] = []
    paint = PaperView.paintEvent

    def timed_paint(self: PaperView, event: QPaintEvent) -> None:
        began_s = time.perf_counter()
        paint(self, event)
        paints.append((began_s, time.perf_counter() - began_s))

    PaperView.paintEvent = timed_paint
    ticks: list[float] = []
    tick = MonitorWindow.tick

    def timed_tick(self: MonitorWindow) -> None:
        began_s = time.perf_counter()
        tick(self)
        ticks.append(time.perf_counter() - began_s)

    MonitorWindow.tick = timed_tick

    app = QApplication([])
    inbox, stop = Inbox(), threading.Event()
    window = MonitorWindow(inbox, StreamInfo("benchmark", RATE_HZ), "no model", 0.0, stop.set, 96 / 25.4)
    window.resize(1920, 1080)
    window.show()
    if arguments.keys:
        from PyQt6.QtTest import QTest

        QTest.keyClicks(window, arguments.keys)
    threading.Thread(target=feed, args=(inbox, stop), daemon=True).start()
    began: list[float] = []

    def begin() -> None:
        began.extend([time.process_time(), time.perf_counter(), peak_mb()])
        paints.clear()
        ticks.clear()

    def end() -> None:
        cpu_s, wall_s = time.process_time() - began[0], time.perf_counter() - began[1]
        at, took = np.array(paints).T * 1e3
        print(
            json.dumps(
                {
                    "shown_s": round(shown_s(window.paper.panels[0], window.paper.look.scale), 2),
                    "paints_per_s": round(len(paints) / wall_s, 2),
                    "paint_ms": quantiles(took),
                    "interval_ms": quantiles(np.diff(at)),
                    "tick_ms": quantiles(np.array(ticks) * 1e3),
                    "share_of_a_core": round(cpu_s / wall_s, 3),
                    "peak_memory_mb": round(peak_mb(), 1),
                    "peak_memory_grew_mb": round(peak_mb() - began[2], 1),
                },
                indent=2,
            )
        )
        window.close()

    keep = QObject()
    for delay_s, then in ((2.0, begin), (2.0 + arguments.seconds, end)):
        timer = QTimer(keep)
        timer.setSingleShot(True)
        timer.timeout.connect(then)
        timer.start(round(1e3 * delay_s))
    app.exec()


def peak_mb() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def quantiles(values: np.ndarray) -> dict[str, float]:
    """The median and the 99th percentile."""
    return {"p50": round(float(np.median(values)), 2), "p99": round(float(np.quantile(values, 0.99)), 2)}


if __name__ == "__main__":
    main()
