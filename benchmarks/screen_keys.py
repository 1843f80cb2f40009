# SPDX-License-Identifier: GPL-3.0-or-later
"""From a key to the monitor's next paint at 3840x2160, and from its start to a settled trace.

    QT_QPA_PLATFORM=offscreen python -m benchmarks.screen_keys
    QT_QPA_PLATFORM=offscreen python -m benchmarks.screen_keys --start      # from the command to the trace

Prints JSON.  Every key is pressed `TIMES` times on a screen full of signal, ribbons and all, in the window as
`mecg monitor` makes it: toolbar, banner, numbers, dialogs, settings.  ``paint`` is no
key but the paper painted whole: what a busy machine makes of that says what it makes of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.measure import ROOT, Effort, Row

SIZE = (3840, 2160)
PX_PER_MM = 6.3
"""Of a screen of 27 inches."""

TIMES = 20
KEYS = {"layout": "l", "theme": "d", "gain": "+-", "speed": "][", "paint": ""}

BAR_MS = 100.0
BAR_START_S = 4.0


def rows(effort: Effort) -> Iterator[Row]:
    """Every row of this part."""
    found = _asked()
    if isinstance(found, str):
        yield Row("the monitor at 3840x2160: key to the next paint", f"p95 <= {BAR_MS:.0f} ms", found)
    else:
        for name, took in found.items():
            measured = (
                f"p50 {took['p50']:.0f}, p95 {took['p95']:.0f} ms; "
                f"of a processor p95 {took['processor_p95']:.0f} ms"
            )
            yield Row(
                f"the monitor at 3840x2160: from the key for {name} to the next paint",
                f"p95 <= {BAR_MS:.0f} ms",
                measured,
                took["p95"] <= BAR_MS,
            )
    started = _asked("--start")
    if isinstance(started, str):
        yield Row("the monitor: its window to the first settled trace", f"<= {BAR_START_S:g} s", started)
    else:
        shown_s, whole_s = started["window_to_settled_s"], started["command_to_settled_s"]
        yield Row(
            "the monitor: its window to the first settled trace",
            f"<= {BAR_START_S:g} s",
            f"{shown_s:.1f} s; from the command {whole_s:.1f} s",
            shown_s <= BAR_START_S,
        )


def _asked(*options: str) -> dict[str, dict[str, float]] | str:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.screen_keys", *options],
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return f"not measured: {done.stderr.strip().splitlines()[-1]}"
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def keys() -> dict[str, dict[str, float]]:
    """From each key to the next paint, ms, and the processor's time in it, whatever else runs."""
    from PyQt6.QtTest import QTest
    from PyQt6.QtWidgets import QApplication

    from benchmarks.screen import RATE_HZ, Beside, description, made
    from gui.controller import RunningSession, SourceRequest
    from gui.main_panels import MainPanels
    from gui.settings import Settings
    from gui.signal.inbox import Inbox
    from gui.window import MonitorWindow
    from mecg.app.controller import Controller
    from streamer.core.stream import StreamInfo

    app = QApplication([])
    inbox, about = Inbox(truth=Beside()), description()
    inbox.open(about)

    class Made(Controller):
        """A session that is made up here."""

        @property
        def running(self) -> RunningSession:
            return RunningSession(
                SourceRequest("synthetic:"), inbox, about, lambda event: None, lambda limits: None
            )

    window = MonitorWindow(inbox, StreamInfo("benchmark", RATE_HZ), "", 0.0, lambda: None, PX_PER_MM)
    panels = MainPanels(window, Made(), Settings(None), lambda: None)
    window.timer.stop()
    window.resize(*SIZE)
    window.show()
    for index in range(0, round(45 * RATE_HZ), 250):
        inbox.frame(made(index, 250))
    begun_s = time.monotonic()
    while time.monotonic() < begun_s + 1.0:
        window.tick()
        app.processEvents()
    done: list[float] = []

    def on_paint(stop: int, drawn_s: float) -> None:
        panels.painted(stop, drawn_s, time.monotonic())
        done.append(time.perf_counter())

    window.paper.painted = on_paint

    def pressed(key: str) -> None:
        if key:
            QTest.keyClick(window, key)
        else:
            window.paper.update()
        app.processEvents()

    found = {name: _timed(some, pressed, done) for name, some in KEYS.items()}
    window.close()
    return found


def _timed(some: str, pressed: Callable[[str], None], done: list[float]) -> dict[str, float]:
    """Each of some keys in turn, `TIMES` in all; ``done`` gets the time of every paint."""
    took, busy = [], []
    for k in range(TIMES):
        done.clear()
        began_s, cpu_s = time.perf_counter(), time.process_time()
        pressed(some[k % len(some)] if some else "")
        if done:
            took.append(1e3 * (done[-1] - began_s))
            busy.append(1e3 * (time.process_time() - cpu_s))
    return {
        "p50": float(np.median(took)),
        "p95": float(np.quantile(took, 0.95)),
        "processor_p50": float(np.median(busy)),
        "processor_p95": float(np.quantile(busy, 0.95)),
    }


def start() -> dict[str, float]:
    """From the command, and from its window, to the first settled trace of a made-up source, s."""
    from PyQt6.QtCore import QTimer
    from PyQt6.QtWidgets import QApplication

    from gui.window import MonitorWindow
    from mecg.__main__ import main

    began_s = time.monotonic()
    app = QApplication([])
    seen: dict[str, float] = {}

    def look() -> None:
        windows = [one for one in app.topLevelWidgets() if isinstance(one, MonitorWindow)]
        if not windows or not windows[0].isVisible():
            return
        seen.setdefault("window", time.monotonic())
        traces = windows[0].stream.history.traces
        if traces is not None and traces.stop > traces.start:
            newest = traces.view(traces.stop - 1, traces.stop)
            if not windows[0].stream.history.faint(newest).any():
                seen["settled"] = time.monotonic()
                windows[0].close()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(10)
    main(["monitor", "synthetic:?bpm=72", "--seconds", "30"])
    return {
        "window_to_settled_s": seen["settled"] - seen["window"],
        "command_to_settled_s": seen["settled"] - began_s,
    }


def run() -> None:
    """Run, print, end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--start", action="store_true", help="the start instead of the keys")
    print(json.dumps(start() if parser.parse_args().start else keys(), indent=2))


if __name__ == "__main__":
    run()
