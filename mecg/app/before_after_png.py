# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of before and after that the monitor shows, as a PNG."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gui.app import why_no_display
from gui.controller import CalibrationPreview
from streamer.core.errors import InputError
from streamer.formats.atomic_write import write_private

PX_PER_MM = 6
SIZE_MM = (297, 210)
"""A4 landscape: on paper true to the millimetre."""


def refuse_to_draw() -> None:
    """Raise an `InputError` if no picture can be drawn; no screen is needed."""
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    reason = why_no_display()
    if reason is not None:
        raise InputError(f"{reason}; leave out --picture")


def write_picture(path: Path, trial: CalibrationPreview) -> None:
    """Draw a trial and write it where only its owner may read it; raises OSError."""
    from PyQt6.QtCore import QBuffer, QIODevice
    from PyQt6.QtGui import QGuiApplication

    from gui.dialogs.before_after import draw_before_after
    from gui.theme import LIGHT

    app = QGuiApplication.instance() or QGuiApplication(["mecg"])
    width, height = (side * PX_PER_MM for side in SIZE_MM)
    image = draw_before_after(trial, 0.0, width, height, PX_PER_MM, LIGHT).toImage()
    image.setDotsPerMeterX(1000 * PX_PER_MM)
    image.setDotsPerMeterY(1000 * PX_PER_MM)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    data = buffer.data().data()
    del app  # not before: what Qt has made goes with it
    write_private(path, data)
