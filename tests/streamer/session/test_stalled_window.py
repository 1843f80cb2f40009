# SPDX-License-Identifier: GPL-3.0-or-later
"""A window that stands still costs the recording nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PyQt6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from gui.signal.inbox import Inbox
from gui.window import MonitorWindow
from mecg.app.models import network_of
from mecg.app.session_builder import pipeline_of
from streamer.formats.wfdb_reader import Record
from streamer.recording.reader import Recording
from streamer.recording.recorder import Recorder
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from streamer.session.sink import Overflow

RECORD = Path(__file__).parents[3] / "recordings" / "ptb-xl" / "00010_hr"
STALL_S = 3.0


def test_a_gui_thread_that_stalls_for_three_seconds_costs_the_recording_no_sample(
    qtbot: QtBot, tmp_path: Path
) -> None:
    """The real path, at twice the speed, with a window whose thread does nothing for so long."""
    source = FileReplay(RECORD, replay=Replay(speed=2.0))
    info = source.open()
    network = network_of(None)
    pipeline = pipeline_of(info, network)
    session = Session(source, pipeline, SessionDescription.of(info, network.spec, pipeline.latency))
    inbox = Inbox()
    session.attach(Recorder(tmp_path, {}, session.tell))
    session.attach(inbox, Overflow.DROP_OLDEST)
    session.start()
    window = MonitorWindow(inbox, info, "", 0.0, session.stop, 4.0, tell=session.tell)
    qtbot.addWidget(window)
    window.show()
    QTimer.singleShot(500, lambda: time.sleep(STALL_S))
    began_s = time.monotonic()
    qtbot.waitUntil(lambda: session.wait(0.0), timeout=20_000)
    assert time.monotonic() - began_s > STALL_S
    window.tick()
    window.close()
    report = session.report()
    assert report.dropped == {} and report.failures == {} and report.left_behind == ()
    (file,) = tmp_path.glob("*.xdf")
    with Recording.open(file) as recording:
        played = recording.raw_mv(recording.raw_start, recording.raw_stop)
        assert recording.lost == 0
    record = Record(RECORD)
    assert np.array_equal(played, record.read()[record.row("I")])
    assert inbox.dropped == 0 and window.stream.history.stop_s == len(played) / info.rate_hz
