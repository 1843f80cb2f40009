# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrivals contradict stamps that were computed with a wrong rate; delays contradict nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.live.timeline import Timeline


def other_rate(
    nominal_hz: float, come_hz: float, packet: int, seconds: float, delays: str = "jitter", seed: int = 0
) -> float | None:
    """What the timeline says of packets stamped at one rate that come at another."""
    rng = np.random.default_rng(seed)
    timeline = Timeline(nominal_hz)
    newest_s = 0.0
    for k in range(packet, round(seconds * come_hz), packet):
        delay_s = rng.exponential(0.05)
        due_s = 1000 + k / come_hz
        if delays == "stalls":
            delay_s += max(0.0, 4 - (due_s % 20))  # nothing comes for 4 s of each 20, then all at once
        if delays == "backlog":
            delay_s += max(0.0, 8 - 0.5 * (due_s - 1000))  # what had waited comes faster at first
        newest_s = max(newest_s, due_s + delay_s)
        timeline.place(np.zeros(packet, np.float32) + k, 50 + k / nominal_hz, newest_s, packet - 1)
        if timeline.other_rate_hz is not None:
            return timeline.other_rate_hz
    return None


@settings(max_examples=40, deadline=None)
@given(
    nominal_hz=st.sampled_from([100.0, 130.0, 250.0, 500.0]),
    off=st.floats(0.04, 0.4),
    sign=st.sampled_from([-1, 1]),
    packet_s=st.floats(0.02, 0.6),
    seed=st.integers(0, 100),
)
def test_a_rate_that_only_the_arrivals_know_is_found(
    nominal_hz: float, off: float, sign: int, packet_s: float, seed: int
) -> None:
    come_hz = nominal_hz * (1 + sign * off)
    other = other_rate(nominal_hz, come_hz, max(1, round(packet_s * nominal_hz)), 80, seed=seed)
    assert other == pytest.approx(come_hz, rel=0.01)


@settings(max_examples=40, deadline=None)
@given(
    nominal_hz=st.sampled_from([100.0, 130.0, 250.0, 500.0]),
    ppm=st.floats(-200, 200),
    packet_s=st.floats(0.02, 0.6),
    delays=st.sampled_from(["jitter", "stalls", "backlog"]),
    seed=st.integers(0, 100),
)
def test_delays_are_no_other_rate(
    nominal_hz: float, ppm: float, packet_s: float, delays: str, seed: int
) -> None:
    come_hz = nominal_hz * (1 + 1e-6 * ppm)
    packet = max(1, round(packet_s * nominal_hz))
    assert other_rate(nominal_hz, come_hz, packet, 130, delays, seed) is None
