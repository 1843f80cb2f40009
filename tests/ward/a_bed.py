# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames and descriptions for a bed, made without a session."""

from __future__ import annotations

import time

import numpy as np

from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Frame, StreamInfo
from streamer.session.description import SessionDescription


def a_description(network: Network, *, live: bool = True) -> SessionDescription:
    info = StreamInfo("lsl:name=bed", 250.0, live=live)
    return SessionDescription.of(info, network.spec, Pipeline(info, network).latency)


def a_frame(start: int, count: int = 5, *, level_mv: float = 0.5, valid: bool = True) -> Frame:
    """``level_mv`` times the lead's number plus one in each lead; half of it as measured."""
    leads = np.repeat(level_mv * np.arange(1, 13, dtype=np.float32)[:, None], count, axis=1)
    if not valid:
        leads[:] = np.nan
    now_s = time.monotonic()
    return Frame(
        start=start,
        rate_hz=250.0,
        leads_mv=leads,
        measured_mv=leads[0] / 2,
        scale_mv=np.full((12, count), 0.1, np.float32),
        valid=np.full(count, valid),
        settling=np.zeros(count, bool),
        device_s=now_s - count / 250.0,
        arrival_s=now_s,
    )
