# SPDX-License-Identifier: GPL-3.0-or-later
"""A monitor whose clock stands still unless it is told to go on, and eyes for what it shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QImage, QPixmap
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from gui.paper.geometry import LeadArea
from gui.signal.inbox import Inbox
from gui.window import MonitorWindow
from streamer.core.events import Event
from streamer.core.leads import LEADS
from streamer.core.stream import Frame, StreamInfo
from streamer.session.description import SessionDescription

PX_PER_MM = 4.0
RATE_HZ = 250.0


class Monitor:
    """A window; its paper is 6x2 and scrolls unless told otherwise."""

    def __init__(
        self,
        qtbot: QtBot,
        info: StreamInfo,
        description: SessionDescription | None = None,
        size: tuple[int, int] = (1280, 840),
    ) -> None:
        self.inbox = Inbox()
        if description is not None:
            self.inbox.open(description)
        self.closed = 0
        self.told: list[Event] = []
        self.window = MonitorWindow(
            self.inbox, info, "a model", 66.0, self._close, PX_PER_MM, tell=self.told.append
        )
        self.window.timer.stop()
        self.window.resize(*size)
        self.wear(layout="6x2", sweep=False, ribbon=False)
        qtbot.addWidget(self.window)
        self.window.show()
        qtbot.waitExposed(self.window)

    def _close(self) -> None:
        self.closed += 1

    def wear(self, **look: object) -> None:
        """Change the paper's look."""
        paper = self.window.paper
        paper.look = replace(paper.look, **look)  # type: ignore[arg-type]

    def send(self, keys: str) -> None:
        for key in keys:
            QTest.keyClicks(self.window, key)

    def show(self, *frames: Frame) -> None:
        """Let the frames come and be drawn up to the newest sample."""
        for frame in frames:
            self.inbox.frame(frame)
        self.window.tick()
        playout = self.window.stream.playout
        assert playout is not None
        playout._lag_s = -1e9  # the edge jumps to the newest sample
        self.window.tick()

    def area(self, lead: str) -> LeadArea:
        return next(area for area in self.window.paper.sheet.areas if area.lead == lead)

    def drawn(self, lead: str, color: str = "") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What stands in a lead's area, read from the picture: instants in s, mV; NaN where nothing does.

        Its own colour where none is given.  Labels and grid are not looked at.
        """
        paper = self.window.paper
        theme, area = paper.look.theme, self.area(lead)
        color = color or (theme.measured if lead in ("I", "rhythm") else theme.reconstructed)
        strip = next(strip for strip in paper.sheet.strips if area in strip.areas)
        ink = ink_of(strip.ring, color)
        ink = ink[max(0, round(area.top - strip.box.top())) : round(area.bottom - strip.box.top())]
        top = max(strip.box.top(), area.top)
        rows = np.arange(len(ink))[:, None] + 0.5
        weight = ink.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            y = np.where(weight > 0.2, (rows * ink).sum(axis=0) / weight, np.nan) + top
        if not paper.sheet.viewports:
            return np.empty(0), np.empty(0)
        viewport = next(
            s for s, other in zip(paper.sheet.viewports, paper.sheet.strips, strict=True) if other is strip
        )
        columns = np.arange(viewport.oldest, viewport.edge + 1)
        strokes = 0.5 if color == theme.measured else 0.0  # a heavy line is drawn twice, 1 px apart
        mv = (area.baseline + strokes - y[columns % viewport.width]) / paper.sheet.scale.px_per_mv
        stream = columns if viewport.course is None else np.array([*map(viewport.course.of_stream, columns)])
        return (stream + 0.5) / paper.sheet.scale.px_per_s, mv

    def picture(self) -> NDArray[np.uint8]:
        return rgb_of(self.window.paper.grab())

    def words(self) -> str:
        labels = self.window.findChildren(QLabel)
        return " | ".join(label.text() for label in labels if label.isVisible())


def rgb_of(picture: QPixmap) -> NDArray[np.uint8]:
    return _bytes_of(picture, QImage.Format.Format_RGBA8888)[..., :3]


def ink_of(ring: QPixmap, color: str) -> NDArray[np.float64]:
    """How much of this colour covers each pixel of a transparent picture, 0 to 1."""
    seen = _bytes_of(ring, QImage.Format.Format_RGBA8888).astype(np.float64)
    request = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])
    near = (np.abs(seen[..., :3] - request) <= 24).all(axis=2)
    return np.where(near, seen[..., 3] / 255, 0.0)


def _bytes_of(picture: QPixmap, kind: QImage.Format) -> NDArray[np.uint8]:
    image = picture.toImage().convertToFormat(kind)
    bits = image.constBits()
    assert bits is not None
    flat = np.frombuffer(bits.asarray(image.sizeInBytes()), np.uint8)
    rows = flat.reshape(image.height(), image.bytesPerLine())[:, : image.width() * 4]
    return rows.reshape(image.height(), image.width(), 4).copy()  # the image goes, and its memory


def wave_mv(lead: str, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """What `make_frame` puts into a lead."""
    return (LEADS.index(lead) + 1) * np.sin(at_s * RATE_HZ / 20) / 10
