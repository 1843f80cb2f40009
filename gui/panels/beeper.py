# SPDX-License-Identifier: GPL-3.0-or-later
"""The alarm's tone, made by code; where there is no sound, the screen's own bell."""

from __future__ import annotations

from typing import Any

import numpy as np

RATE_HZ = 22_050
PITCH_HZ = 880.0
NOTE_S, REST_S, NOTES = 0.12, 0.08, 3
_VOLUME = 0.5
_RAMP_S = 0.01


def pulses(notes: int = NOTES) -> bytes:
    """Some short notes with soft edges: 16 bit, one channel, at `RATE_HZ`."""
    t = np.arange(round(NOTE_S * RATE_HZ)) / RATE_HZ
    edge = np.clip(np.minimum(t, NOTE_S - t) / _RAMP_S, 0, 1)
    note = _VOLUME * edge * (np.sin(2 * np.pi * PITCH_HZ * t) + 0.4 * np.sin(4 * np.pi * PITCH_HZ * t)) / 1.4
    rest = np.zeros(round(REST_S * RATE_HZ))
    return (32767 * np.concatenate([note, rest] * notes)).astype("<i2").tobytes()


class Beeper:
    """Plays `pulses`; looks for a sound card when it is first needed, not before."""

    def __init__(self) -> None:
        self._out: Any = None
        self._buffer: Any = None
        self._looked = False

    def play(self) -> None:
        """Play once; returns at once."""
        if not self._looked:
            self._looked = True
            self._find()
        if self._out is None:
            from PyQt6.QtWidgets import QApplication

            QApplication.beep()
            return
        self._out.stop()
        self._buffer.seek(0)
        self._out.start(self._buffer)

    def _find(self) -> None:
        from PyQt6.QtCore import QBuffer, QByteArray, QIODevice, QLoggingCategory

        # It says a lot about libraries that a tone does not need.
        QLoggingCategory.setFilterRules("qt.multimedia*=false")
        try:
            from PyQt6.QtMultimedia import QAudioFormat, QAudioSink, QMediaDevices
        except ImportError:
            return
        device = QMediaDevices.defaultAudioOutput()
        form = QAudioFormat()
        form.setSampleRate(RATE_HZ)
        form.setChannelCount(1)
        form.setSampleFormat(QAudioFormat.SampleFormat.Int16)
        if device.isNull() or not device.isFormatSupported(form):
            return
        self._buffer = QBuffer()
        self._buffer.setData(QByteArray(pulses()))
        self._buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        self._out = QAudioSink(device, form)
