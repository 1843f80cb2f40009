# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes to the browser: statuses as JSON, samples as blocks (docs/ward.md)."""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from streamer.core.events import Quality
from streamer.core.leads import LEADS
from ward.bed import BedStatus, Piece

VERSION = 2

HEADER = struct.Struct("<BBHIIddf")
"""Version, rows, samples, bed, epoch, index of the first sample, when the newest came (ms of the Unix epoch),
and samples a second; little-endian.  The rows' numbers follow, a byte each, filled up to an even count,
then the samples, row by row, 16 bits each."""


def block(piece: Piece) -> bytes:
    """A bed's samples."""
    came_ms = 1e3 * (time.time() - time.monotonic() + piece.came_s)
    count = len(piece.rows)
    head = HEADER.pack(
        VERSION,
        count,
        piece.uv.shape[1],
        piece.number,
        piece.epoch,
        piece.start,
        came_ms if math.isfinite(came_ms) else 0.0,
        piece.rate_hz,
    )
    rows = bytes(piece.rows) + bytes(count % 2)
    return head + rows + np.ascontiguousarray(piece.uv, "<i2").tobytes()


def statuses(all_of_them: Iterable[BedStatus], allowed: frozenset[str]) -> str:
    """How all beds stand, and what a viewer may do."""
    message = {
        "kind": "status",
        "leads": LEADS,
        "allowed": sorted(allowed),
        "beds": [_status(status) for status in all_of_them],
    }
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def _status(status: BedStatus) -> dict[str, Any]:
    description = status.description
    return {
        "bed": status.number,
        "name": status.name,
        "epoch": status.epoch,
        "state": status.state.name.lower(),
        "state_words": status.words,
        "news": status.news,
        "age_s": _known(status.age_s, 3),
        "old": status.old,
        "bpm": _known(status.bpm, 1),
        "low_bpm": status.limits.low_bpm,
        "high_bpm": status.limits.high_bpm,
        "quality": _quality(status.quality),
        "alarms": [
            {
                "kind": alarm.kind.name.lower(),
                "name": alarm.kind.value,
                "text": alarm.text,
                "priority": int(alarm.priority),
                "technical": alarm.technical,
                "silenced": alarm.silenced,
            }
            for alarm in status.alarms
        ],
        "silent_s": round(status.silent_s, 1),
        "sound": status.sound,
        "bedside": list(status.bedside),
        "lost": status.lost,
        "recording": status.recording,
        "recalibrate": status.recalibrate,
        "stream": None
        if description is None
        else {
            "source": description.stream.source,
            "device": description.stream.device,
            "lead": description.stream.shown_lead,
            "is_lead_i": description.stream.is_lead_i,
            "inverted": description.stream.inverted,
            "placement": description.stream.placement.value,
            "rate_hz": description.rate_hz,
            "model": description.model_in_words,
            "band": description.filters,
            "algorithmic_ms": round(description.latency.total_ms, 1),
            "origins": dict(description.origins),
            "warnings": list(description.warnings),
            "caution": description.caution,
        },
    }


def _quality(wrong: frozenset[Quality] | None) -> list[str] | None:
    return None if wrong is None else [one.value for one in Quality if one in wrong]


def _known(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
