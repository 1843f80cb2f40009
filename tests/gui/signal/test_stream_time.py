# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of what is shown: of a live stream the time of day, of a replay the recording's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.signal.history import History
from gui.signal.stream_time import EVERY_S, StreamTime
from streamer.core.events import Seam
from streamer.core.stream import Frame, StreamInfo
from tests.gui.conftest import RATE_HZ, make_frame

MakeFrame = Callable[..., Frame]
LIVE = StreamInfo("lsl:x", RATE_HZ, live=True)
BEGAN = "2026-03-14T09:15:12"
REPLAY = StreamInfo("wfdb:x", RATE_HZ, start_s=30.0, began=BEGAN)


@given(late_s=st.floats(0.0, 5.0), drift=st.floats(0.95, 1.05), looked_s=st.floats(0.0, 500.0))
def test_a_past_has_its_own_time_of_day_also_if_the_device_s_clock_runs_otherwise(
    late_s: float, drift: float, looked_s: float
) -> None:
    begun_s, stream = time.monotonic() - 600.0, StreamTime(LIVE)
    for start in range(0, round(600 * RATE_HZ), 250):
        taken_s = begun_s + drift * start / RATE_HZ
        stream.frame(replace(make_frame(start, 1), device_s=taken_s, arrival_s=taken_s + late_s))
    at = stream.at(looked_s)
    assert at is not None
    true_unix_s = time.time() - time.monotonic() + begun_s + drift * looked_s
    assert at.timestamp() == pytest.approx(true_unix_s, abs=0.05 * EVERY_S + 0.05)


def test_a_replay_has_the_time_of_its_recording_and_a_seek_its_place_in_it() -> None:
    stream = StreamTime(REPLAY)
    stream.frame(make_frame(0, 50))
    assert stream.place_s(2.5) == 32.5
    assert stream.at(2.5) == datetime.fromisoformat(BEGAN) + timedelta(seconds=32.5)
    assert StreamTime(replace(REPLAY, began="")).at(2.5) is None
    assert StreamTime(replace(REPLAY, began="")).words(45.0) == "at 1:15"


@given(laps=st.integers(0, 20), length_s=st.floats(1.0, 60.0), share=st.floats(0.0, 0.99))
def test_what_is_played_again_has_the_place_that_it_has(laps: int, length_s: float, share: float) -> None:
    history = History()
    history.time = StreamTime(REPLAY)
    for lap in range(1, laps + 1):
        history.event(Seam(at_s=lap * length_s))
    at_s = (laps + share) * length_s
    place_s = 30.0 + share * length_s
    assert history.copy().time.place_s(at_s) == pytest.approx(place_s, abs=1e-6 * at_s + 1e-9)


def test_nothing_is_said_of_a_stream_of_which_nothing_came() -> None:
    assert StreamTime(LIVE).at(3.0) is None and StreamTime(LIVE).words(3.0) == ""
