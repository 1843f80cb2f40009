# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser, with beds that are fed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from devices.replay.synthetic import Synthetic
from streamer.core.events import Beat, QualityChanged
from streamer.core.network.network import Network
from tests.ward.a_bed import a_description, a_frame
from tests.ward.conftest import Running, until
from ward.bed import Bed

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)

EXPECTED = ("WebSocket", "ERR_CONNECTION", "willReadFrequently")
"""What Chromium says of a server that has gone, and of a test that reads a picture back."""


@dataclass
class Fed:
    """Beds that get a heart beat for signal, in real time, until they are held."""

    running: Running
    network: Network
    beds: list[Bed] = field(default_factory=list)
    held: set[int] = field(default_factory=set)

    def add(self, name: str) -> Bed:
        bed = self.running.beds.add(name)
        bed.sink(self.heard(bed)).open(a_description(self.network))
        bed.event(QualityChanged(frozenset(), "good"))
        self.beds.append(bed)
        return bed

    def heard(self, bed: Bed) -> Callable[[Any], None]:
        def tell(event: Any) -> None:
            self.running.told.append(event)
            bed.event(event)

        return tell

    @contextmanager
    def feeding(self) -> Iterator[None]:
        lead_mv = Synthetic("?rate=250&bpm=60").lead_mv(0, 2500)
        stopping = threading.Event()

        def feed() -> None:
            at = 0
            while not stopping.wait(0.04):
                now = np.arange(at, at + 10) % 2500
                for bed in self.beds:
                    if bed.number in self.held:
                        continue
                    frame = a_frame(at, 10)
                    frame.leads_mv[:] = lead_mv[now]
                    frame.measured_mv[:] = lead_mv[now]
                    bed.frame(frame)
                    bed.event(Beat(60.0, at_s=at // 250))
                at += 10

        thread = threading.Thread(target=feed)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()


@contextmanager
def a_page(
    browser: Any, fed: Fed, width: int = 1280, height: int = 800, look: str = "light"
) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=look)
    context.set_default_timeout(30_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    foreign: list[str] = []
    page.on("request", lambda asked: foreign.append(asked.url))
    page.goto(fed.running.server.link)
    page.wait_for_selector(".tile .open")
    yield page
    context.close()
    assert not [text for text in wrong if not any(expected in text for expected in EXPECTED)]
    assert all(url.startswith((fed.running.origin, "ws://" + fed.running.host)) for url in foreign)


def has_painted(page: Any, canvas: str, colour: str) -> bool:
    """Whether a picture comes to have pixels of exactly this colour."""

    def there() -> bool:
        found: bool = page.evaluate(
            """([selector, wanted]) => {
              const canvas = document.querySelector(selector);
              const context = canvas?.getContext("2d", { willReadFrequently: true });
              if (!context || !canvas.width) return false;
              const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
              return new Uint32Array(data.buffer).includes(wanted);
            }""",
            [canvas, 0xFF000000 | int(colour[5:7] + colour[3:5] + colour[1:3], 16)],
        )
        return found

    return until(there, 15)


def text(page: Any, selector: str) -> str:
    return str(page.locator(selector).first.text_content())
