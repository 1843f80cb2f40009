# SPDX-License-Identifier: GPL-3.0-or-later
"""Stamps that leap ahead: samples were lost, or the device's clock was set; and links that come back."""

from __future__ import annotations

import numpy as np
import pytest

from devices.live.timeline import Timeline
from streamer.core.events import Notice, SamplesLost
from streamer.core.stream import Chunk


@pytest.mark.parametrize("leap_s", [0.1, 0.2, 0.24, 0.26, 0.3, 2.0])
def test_a_packet_that_comes_a_quarter_of_a_second_before_its_stamp_shows_a_jump_and_less_a_gap(
    leap_s: float,
) -> None:
    """Packets of 0.1 s that all come as soon as they are full, as if nothing were missing."""
    timeline = Timeline(130.0)
    said = []
    for number in range(800):
        last_s = (13 * number + 12) / 130
        jumped_s = leap_s if number >= 700 else 0.0
        said += timeline.place(np.full(13, number, np.float32), last_s + jumped_s, 1000 + last_s, anchor=12)
    is_jump = leap_s > 0.25
    assert [event.count for event in said if isinstance(event, SamplesLost)] == (
        [] if is_jump else [round(leap_s * 130)]
    )
    assert sum(isinstance(event, Notice) for event in said) == is_jump
    assert sum(isinstance(item, Chunk) for item in said) == 800


def test_a_link_that_comes_back_with_more_delay_each_time_is_no_other_rate() -> None:
    """The device keeps its samples.  Each 20 s later by another second, as if 5 % were missing."""
    timeline = Timeline(130.0)
    delay_s = 0.0
    for number in range(1800):
        if number and number % 200 == 0:
            timeline.reconnected()
            delay_s += 1.0
        last_s = (13 * number + 12) / 130
        timeline.place(np.full(13, number, np.float32), last_s, 1000 + last_s + delay_s, anchor=12)
        assert timeline.other_rate_hz is None
    assert timeline.counts.lost == 0 and timeline.counts.samples == 1800 * 13
