# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable

import pytest

from gui.signal.followed_stream import FollowedStream
from gui.signal.inbox import Inbox
from streamer.core.stream import Frame, StreamInfo


@pytest.mark.parametrize(
    ("lead_in_s", "algorithmic_ms"), [(0.0, 72.0), (2.0, 72.0), (2.0, 822.0), (5.0, 222.0)]
)
def test_the_lead_in_says_nothing_about_how_packets_come_and_all_after_it_does(
    frame: Callable[[int, int], Frame], lead_in_s: float, algorithmic_ms: float
) -> None:
    """The lead-in comes at once, and its leads end earlier by the latency."""
    stream = FollowedStream(Inbox(), StreamInfo("test:", 250.0), algorithmic_ms, lead_in_s)
    ends_s = lead_in_s - algorithmic_ms / 1e3
    for start in range(0, 2000, 4):
        stream.inbox.frame(one := frame(start, 4))
        stream.take(lambda *_: None, lambda *_: None)
        if one.stop / one.rate_hz < ends_s - 0.1:
            assert stream.playout is None
        if one.stop / one.rate_hz > ends_s:
            assert stream.playout is not None
