# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gui.panels.latency import KEPT_S, MONITOR_STAGES, LastMinute
from streamer.core.network.latency import LatencyBudget
from streamer.core.stream import Frame, Stamps

BUDGET = LatencyBudget(56.0, 0.0, 16.0, 0.0, 72.0, 10.0)
LOOK_AHEAD, HOP = 14, 4


def a_hop(number: int, *, core_ms: float = 1.0, transport_ms: float = 5.0) -> Frame:
    """Hop ``number`` of a source at the model's rate, stream time 0 at second 100; one packet a hop."""
    start = HOP * number
    stop = start + HOP
    nothing = np.zeros((12, HOP), np.float32)
    needed_s = 100 + (stop - 1 + LOOK_AHEAD) / 250
    arrival_s = needed_s + transport_ms / 1e3
    steps = [arrival_s + core_ms / 1e3 * k / 7 for k in range(8)]
    return Frame(
        start,
        250.0,
        nothing,
        nothing[0],
        nothing,
        np.ones(HOP, bool),
        np.zeros(HOP, bool),
        device_s=100 + start / 250,
        arrival_s=arrival_s,
        stamps=Stamps(*steps, newest=stop + LOOK_AHEAD),
    )


def shown(minute: LastMinute, frame: Frame, *, later_ms: float = 1.0, display_delay_ms: float = 20.0) -> None:
    assert frame.stamps is not None
    at_s = frame.stamps.made + later_ms / 1e3
    minute.came(at_s, frame)
    minute.painted(frame.stop, at_s + display_delay_ms / 1e3, at_s + display_delay_ms / 1e3 + 0.008)


def test_the_bars_join_and_add_up_to_what_is_felt() -> None:
    minute = LastMinute(250.0, 250.0, BUDGET)
    for number in range(200):
        shown(minute, a_hop(number))
    summary = minute.summary()
    assert [bar.stage for bar in summary.bars] == list(MONITOR_STAGES)
    for bar, following in zip(summary.bars, summary.bars[1:], strict=False):
        assert bar.from_ms + bar.mean_ms == pytest.approx(following.from_ms)
    last = summary.bars[-1]
    assert last.from_ms + last.mean_ms == pytest.approx(summary.felt_mean_ms)
    # Look-ahead, half a hop, transport, core, handover, display delay, paint.
    assert summary.felt_mean_ms == pytest.approx(56 + 6 + 5 + 1 + 1 + 20 + 8, abs=0.01)
    assert summary.seen_p50_ms == summary.seen_p99_ms == pytest.approx(30, abs=0.01) == minute.now_ms


def test_nothing_is_said_before_anything_was_painted() -> None:
    minute = LastMinute(500.0, 250.0, BUDGET)
    assert minute.summary().hops == 0 and math.isnan(minute.summary().felt_mean_ms)
    minute.came(200.0, a_hop(1))
    assert minute.summary().hops == 0 and math.isnan(minute.now_ms)


def test_what_was_painted_more_than_a_minute_ago_is_forgotten() -> None:
    minute = LastMinute(250.0, 250.0, BUDGET)
    for number in range(0, 250 * 200 // HOP, 10):
        shown(minute, a_hop(number, transport_ms=500.0 if number * HOP < 250 * 100 else 5.0))
    summary = minute.summary()
    assert summary.seen_p99_ms < 50
    assert summary.hops <= (KEPT_S + 1) * 250 / HOP / 10


def test_a_paint_takes_only_what_had_come_before_it_and_is_on_it() -> None:
    minute = LastMinute(250.0, 250.0, BUDGET)
    frames = [a_hop(number) for number in range(3)]
    for k, frame in enumerate(frames):
        minute.came(200.0 + k, frame)
    minute.painted(frames[1].stop, 200.5, 200.6)
    assert minute.summary().hops == 1
    minute.painted(frames[2].stop - 1, 203.0, 203.1)
    assert minute.summary().hops == 2
    minute.painted(frames[2].stop, 203.2, 203.3)
    assert minute.summary().hops == 3


def test_a_source_without_stamps_leaves_nothing_to_say() -> None:
    minute = LastMinute(250.0, 250.0, BUDGET)
    shown(minute, replace(a_hop(3), device_s=math.nan))
    minute.came(200.0, replace(a_hop(4), stamps=None))
    shown(minute, a_hop(5))
    assert minute.summary().hops == 1


def test_a_window_that_paints_nothing_keeps_little() -> None:
    minute = LastMinute(250.0, 250.0, BUDGET)
    for number in range(10_000):
        minute.came(200.0, a_hop(number))
    assert len(minute._unpainted) <= 256
