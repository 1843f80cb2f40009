# SPDX-License-Identifier: GPL-3.0-or-later
"""After a gap the picture is as late as before it: behind the real path, for every gap."""

from __future__ import annotations

import numpy as np
import pytest

from gui.signal.followed_stream import FollowedStream
from gui.signal.inbox import Inbox, Item
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, StreamInfo

RATE_HZ = 250.0
TICK_S = 1 / 30


class ClockedInbox(Inbox):
    """Whose clock the test moves."""

    now_s = 0.0

    def _put(self, *items: Item) -> None:
        self._waiting.extend((self.now_s, item) for item in items)


def ignored(*_: object) -> None:
    """What the window does with it is another matter."""


@pytest.mark.parametrize("packet_s", [0.02, 0.1, 0.56])
@pytest.mark.parametrize("stall_s", [0.1, 0.3, 0.6, 1.0, 1.5, 1.9, 2.5, 6.0])
def test_so_it_is_after_a_stall_without_a_loss(network: Network, packet_s: float, stall_s: float) -> None:
    """What was held back comes at once, one packet after the other."""
    info = StreamInfo("test:", RATE_HZ, live=True)
    pipeline, inbox = Pipeline(info, network), ClockedInbox()
    stream = FollowedStream(inbox, info, 0.0)
    n = round(packet_s * RATE_HZ)
    begins = round(12 / packet_s)
    held = max(1, round(stall_s / packet_s))
    back_s = (begins + held) * packet_s
    usual_s = 0.0
    for k in range(begins + held + round(4 / packet_s)):
        came_s = (k + 1) * packet_s
        if begins <= k < begins + held:
            came_s = back_s + 1e-3 * (k - begins)
        inbox.now_s = max(inbox.now_s, came_s)
        for frame in pipeline.push(Chunk(k * n, np.sin(np.arange(n) / 9).astype(np.float32))):
            inbox.now_s += 2e-4
            inbox.frame(frame)
        stream.take(ignored, ignored)
        if begins <= k < begins + held - 1:
            continue
        for now_s in np.arange(inbox.now_s, came_s + packet_s, TICK_S):
            edge_s = stream.edge_s(float(now_s))
            if edge_s is None:
                continue
            if k < begins:
                usual_s = float(now_s) - edge_s
            elif now_s > back_s + packet_s + 1.0:
                assert now_s - edge_s <= usual_s + 0.3


@pytest.mark.parametrize("packet_s", [0.02, 0.1, 0.56])
@pytest.mark.parametrize("gap_s", [0.1, 0.3, 1.0, 1.9, 2.1, 3.0, 6.0, 20.0, 60.0, 600.0, 3600.0])
def test_the_picture_is_up_to_date_a_second_after_the_return(
    network: Network, packet_s: float, gap_s: float
) -> None:
    info = StreamInfo("test:", RATE_HZ, live=True)
    pipeline, inbox = Pipeline(info, network), ClockedInbox()
    stream = FollowedStream(inbox, info, 0.0)
    n = round(packet_s * RATE_HZ)
    gap = max(1, round(gap_s / packet_s))
    begins = round(12 / packet_s)
    usual_s = said_s = 0.0
    for k in [*range(begins), *range(begins + gap, begins + gap + round(4 / packet_s))]:
        came_s = (k + 1) * packet_s
        inbox.now_s = came_s
        for frame in pipeline.push(Chunk(k * n, np.sin(np.arange(n) / 9).astype(np.float32))):
            inbox.now_s += 2e-4  # made one after the other
            inbox.frame(frame)
        stream.take(ignored, ignored)
        for now_s in np.arange(inbox.now_s, came_s + packet_s, TICK_S):
            edge_s = stream.edge_s(float(now_s))
            if edge_s is None:
                continue
            said_s = (stream.status(float(now_s)).display_delay_ms or 0.0) / 1e3
            if came_s < begins * packet_s:
                usual_s = float(now_s) - edge_s
            elif came_s > (begins + gap + 1) * packet_s + 1.0:
                assert now_s - edge_s <= usual_s + 0.3
                assert stream.history.stop_s - edge_s <= said_s + 0.05
                assert said_s <= packet_s + 0.3
