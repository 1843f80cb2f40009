# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ward costs: beds, browsers, and the way from a sample to a pixel.

``python -m benchmarks.ward BEDS BROWSERS|chromium [--jobs N]`` measures one of them.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from benchmarks.measure import ROOT, Effort, Row
from ward.wire import HEADER

SETTLE_S = 6.0
BROWSERS = 10
PAINTED_BEDS = 16
"""So many have a bar in Chromium."""
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a ward that runs, over some seconds."""

    cores: float
    """CPU seconds a second, all its processes."""
    memory_mb: float
    lag_ms: tuple[float, float]
    """From a sample's arrival to a viewer on this machine, p50 and p99."""
    left_out: int
    """Ticks that no viewer was to miss."""


@dataclass(frozen=True, slots=True)
class Ward:
    """A `mecg ward` that runs."""

    process: psutil.Process
    link: str

    @property
    def host(self) -> str:
        """Where its page is."""
        return self.link.split("/")[2]

    def cpu_s(self) -> float:
        """CPU seconds so far of all its processes."""
        every = [self.process, *self.process.children(recursive=True)]
        return float(sum(sum(each.cpu_times()[:2]) for each in every))

    def memory_mb(self) -> float:
        """Resident, all processes."""
        every = [self.process, *self.process.children(recursive=True)]
        return float(sum(each.memory_info().rss for each in every)) / 1e6

    def log_in(self) -> str:
        """A cookie."""
        host = self.host
        asked = http.client.HTTPConnection(host, timeout=30)
        token = self.link.partition("token=")[2]
        asked.request("POST", "/login", json.dumps({"token": token}), {"Origin": f"http://{host}"})
        cookie = asked.getresponse().getheader("Set-Cookie", "").partition(";")[0]
        asked.close()
        return cookie


@contextmanager
def a_ward(beds: int, *options: str, rate_hz: int = 250) -> Iterator[Ward]:
    """Run one of so many synthetic beds until the end of the block."""
    with tempfile.TemporaryDirectory() as folder:
        sources = [f"synthetic:?rate={rate_hz}&bpm={60 + k % 50}" for k in range(beds)]
        history = ["--history", str(Path(folder) / "ward.sqlite")]
        command = [
            sys.executable,
            "-m",
            "mecg",
            "ward",
            *sources,
            "--serve",
            "127.0.0.1:0",
            *history,
            *options,
        ]
        running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            assert running.stderr is not None
            link = next(found[0] for line in running.stderr if (found := re.findall(r"http://\S+", line)))
            threading.Thread(target=running.stderr.read, daemon=True).start()
            yield Ward(psutil.Process(running.pid), link)
        finally:
            running.terminate()
            running.wait(30)


class Viewer(threading.Thread):
    """Takes all that a page of tiles is sent, and notes how old it is."""

    def __init__(self, ward: Ward, cookie: str) -> None:
        super().__init__(daemon=True)
        self._ward = ward
        self._cookie = cookie
        self.lag_ms: list[float] = []
        self.beds: set[int] = set()
        self.left_out = 0
        self.noting = False

    def run(self) -> None:
        """Look until the ward ends."""
        url = f"ws://{self._ward.host}/live"
        headers = {"Cookie": self._cookie}
        with connect(
            url,
            origin=Origin(f"http://{self._ward.host}"),
            additional_headers=headers,
            max_size=None,
            compression=None,
            proxy=None,
        ) as socket:
            try:
                for message in socket:
                    self._take(message)
            except ConnectionClosed:
                return

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.left_out += json.loads(message)["kind"] == "left out"
            return
        now_ms = 1e3 * time.time()
        at = 0
        while at < len(message):
            _, rows, count, bed, _, _, came_ms, _ = HEADER.unpack_from(message, at)
            at += HEADER.size + rows + rows % 2 + 2 * rows * count
            self.beds.add(bed)
            if self.noting:
                self.lag_ms.append(now_ms - came_ms)


def cost(beds: int, seconds: float, *, browsers: int = 1, options: tuple[str, ...] = ()) -> Cost:
    """Measure a ward with so many viewers, once all beds have come and settled."""
    with a_ward(beds, *options) as ward:
        cookie = ward.log_in()
        viewers = [Viewer(ward, cookie) for _ in range(browsers)]
        for viewer in viewers:
            viewer.start()
        while len(viewers[0].beds) < beds:
            time.sleep(0.2)
        time.sleep(SETTLE_S)
        for viewer in viewers:
            viewer.noting = True
        cpu_s, begun_s = ward.cpu_s(), time.monotonic()
        time.sleep(seconds)
        cores = (ward.cpu_s() - cpu_s) / (time.monotonic() - begun_s)
        lags = np.concatenate([viewer.lag_ms for viewer in viewers])
        lag_ms = float(np.quantile(lags, 0.5)), float(np.quantile(lags, 0.99))
        return Cost(cores, ward.memory_mb(), lag_ms, sum(viewer.left_out for viewer in viewers))


def rows(effort: Effort) -> Iterator[Row]:
    """All of them."""
    seconds = min(effort.seconds, 20.0)
    yield beds_row(1, cost(1, seconds), "")
    sixteen = cost(16, seconds)
    yield beds_row(16, sixteen, "")
    many = cost(64, seconds)
    yield beds_row(64, many, "<= 2 cores; each at most half of 3.0 %")
    ten = cost(16, seconds, browsers=BROWSERS)
    more = ten.cores - sixteen.cores
    yield Row(
        f"{BROWSERS} browsers on 16 beds, beyond the first",
        "<= 0.5 of a core",
        f"{more:.2f} of a core; sample to browser p50 {ten.lag_ms[0]:.0f}, p99 {ten.lag_ms[1]:.0f} ms; "
        f"{ten.left_out} ticks left out",
        more <= 0.5,
    )
    if CHROMIUM is not None:
        for beds in (1, PAINTED_BEDS, 64):
            yield painting(beds, seconds)


def beds_row(beds: int, found: Cost, bar: str) -> Row:
    """Of so many beds."""
    each = found.cores / beds
    return Row(
        f"ward of {beds} {'bed' if beds == 1 else 'beds'}, 250 Hz, one browser",
        bar,
        f"{found.cores:.2f} cores, {each:.2%} of a core each; {found.memory_mb:.0f} MB; "
        f"sample to browser p50 {found.lag_ms[0]:.0f}, p99 {found.lag_ms[1]:.0f} ms",
        found.cores <= 2 and each <= 0.015 if bar else None,
    )


def painting(beds: int, seconds: float) -> Row:
    """In Chromium, drawing by software."""
    figures = paint(beds, seconds)
    barred = beds == PAINTED_BEDS
    return Row(
        f"ward of {beds} {'bed' if beds == 1 else 'beds'} in Chromium, software rendering, 1920x1080",
        ">= 25 pictures a second; sample to pixel p99 <= 150 ms besides the algorithm's" if barred else "",
        f"{figures['pictures']:.0f} pictures a second; sample to pixel p50 {figures['p50']:.0f}, "
        f"p95 {figures['p95']:.0f}, p99 {figures['p99']:.0f} ms",
        figures["pictures"] >= 25 and figures["p99"] <= 150 if barred else None,
    )


def paint(
    beds: int, seconds: float, *, options: tuple[str, ...] = (), picture: Path | None = None
) -> dict[str, Any]:
    """Pictures a second, and ms from a sample's arrival in the program to its pixel."""
    from playwright.sync_api import sync_playwright

    with ExitStack() as stack:
        ward = stack.enter_context(a_ward(beds, *options))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        stack.callback(browser.close)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(ward.link)
        page.wait_for_selector(".tile .open")
        page.wait_for_timeout(1e3 * (SETTLE_S + 2))
        page.evaluate("() => { wardFigures.painted = 0; wardFigures.toPixelMs.length = 0; }")
        begun_s = time.monotonic()
        page.wait_for_timeout(1e3 * seconds)
        painted, lags = page.evaluate("[wardFigures.painted, wardFigures.toPixelMs]")
        if picture is not None:
            page.screenshot(path=picture)
        return {
            "pictures": painted / (time.monotonic() - begun_s),
            "p50": float(np.quantile(lags, 0.5)),
            "p95": float(np.quantile(lags, 0.95)),
            "p99": float(np.quantile(lags, 0.99)),
        }


if __name__ == "__main__":
    count, browsers, *options = sys.argv[1:]
    if browsers == "chromium":
        print(paint(int(count), 20.0, options=tuple(options)))
    else:
        print(cost(int(count), 12.0, browsers=int(browsers), options=tuple(options)))
