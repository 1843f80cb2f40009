# SPDX-License-Identifier: MIT
"""Frames as JSON lines: for a pipe, a script, another language."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from streamer.core.events import Event, State
from streamer.core.stream import Chunk, Frame, Samples, StreamInfo
from streamer.session.description import SessionDescription
from streamer.session.event_wire import to_wire
from streamer.session.sink import Sink
from streamer.session.source_words import state_name
from streamer.session.status import SessionStatus

STATUS_S = 1.0
"""Of the signal, between two lines of type ``status``."""

DECIMALS = 4
"""Of a mV: 0.1 µV."""


class JsonLines(Sink):
    """One JSON object a line.

    The first, of type ``stream``, is the session's description; of a live source, objects of type ``event``
    come before it, as it is connected.  Then, in order, objects of type ``frame``: ``start`` (index at
    ``rate_hz``, algorithmic latency taken out), ``seconds`` (the same as time since sample 0), ``device_s``
    and ``arrival_s`` (the host's monotonic clock), ``settling`` (the filters have just started),
    ``leads_mv`` (lead to list; ``I`` only if Lead I was measured), ``measured_mv`` ("I, as measured")
    and ``scale_mv`` (uncertainty, lead to list; null where the model states none).  A sample that
    was lost is null.  Between them objects of type ``event``: a ``beat`` has ``at_s`` (of the R peak,
    seconds since sample 0) and the heart rate as ``value``.  And after each second of the signal one
    of type ``status``: ``seconds``, ``state`` (in place of ``live`` the ``source_kind`` of what is not),
    ``source_kind`` (``live``, ``replay``, ``recorded`` or ``synthetic``), ``speed`` (of a replay; null if it
    has none, or the highest), ``source_rate_hz``, ``hr_bpm``, ``quality`` (a list of what is wrong, null
    while unknown), ``recalibrate`` (whether Lead I no longer looks like the person's reference, null where
    the model is generic), ``alarms`` (those that stand, the most urgent first: ``alarm``, ``why`` as it rose,
    for how many ``seconds``, and of a rate the ``worst_bpm`` since then), ``lost`` and ``latency_ms``
    (``algorithmic``, ``now``, ``p99``).

    Parameters
    ----------
    out : text stream
        Usually standard output.
    lost : callable
        How many samples were lost so far.
    """

    name = "JSON lines"

    def __init__(self, out: TextIO, lost: Callable[[], int]) -> None:
        self._out = out
        self._lost = lost
        self._status_s = STATUS_S
        self._announced: list[Event] = []

    def announce(self, event: Event) -> None:
        """Write an event before the session is open; the session brings it again, which is left out."""
        self._announced.append(event)
        self._write(_as_object(event))

    def open(self, description: SessionDescription) -> None:
        """Write the line that describes the session."""
        self._stream = description.stream
        self._standing = SessionStatus(description, self._lost)
        self._labels = description.labels
        self._write({"type": "stream", **description.as_dict()})

    def chunk(self, chunk: Chunk) -> None:
        """Nothing to write: frames carry the measured lead."""
        self._standing.chunk(chunk)

    def frame(self, frame: Frame) -> None:
        """Write a frame."""
        self._standing.frame(frame)
        stated = bool(np.isfinite(frame.scale_mv).any())
        self._write(
            {
                "type": "frame",
                "start": frame.start,
                "seconds": round(frame.start / frame.rate_hz, 6),
                "device_s": _number(frame.device_s),
                "arrival_s": _number(frame.arrival_s),
                "settling": bool(frame.settling.any()),
                "leads_mv": self._by_lead(frame.leads_mv),
                "measured_mv": _numbers(frame.measured_mv),
                "scale_mv": self._by_lead(frame.scale_mv) if stated else None,
            }
        )
        if frame.stop / frame.rate_hz >= self._status_s:
            self._status_s = frame.stop / frame.rate_hz // STATUS_S * STATUS_S + STATUS_S
            self._write({"type": "status", **self._standing.facts()})

    def event(self, event: Event) -> None:
        """Write an event."""
        self._standing.event(event)
        if event not in self._announced:
            self._write(_as_object(event, self._stream))

    def close(self) -> None:
        """Flush."""
        self._out.flush()

    def _by_lead(self, rows: Samples) -> dict[str, list[float | None]]:
        return dict(zip(self._labels, map(_numbers, rows), strict=True))

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
        self._out.flush()


def _as_object(event: Event, stream: StreamInfo | None = None) -> dict[str, Any]:
    wire = to_wire(event)
    return {
        "type": "event",
        "kind": wire.kind,
        "text": wire.text,
        "host_s": _number(wire.host_s),
        "state": _state(wire.state, stream),
        "count": wire.count,
        "at_s": _number(wire.at_s),
        "value": _number(wire.value),
        "quality": None if wire.quality is None else sorted(q.name.lower() for q in wire.quality),
    }


def _state(state: State | None, stream: StreamInfo | None) -> str | None:
    if state is None:
        return None
    return state.name.lower() if stream is None else state_name(state, stream)


def _number(value: float) -> float | None:
    return round(value, 6) if isfinite(value) else None


def _numbers(values: NDArray[np.float32]) -> list[float | None]:
    rounded = np.round(values.astype(np.float64), DECIMALS) + 0.0  # no -0.0
    if np.isfinite(rounded).all():
        return list(rounded.tolist())
    return [value if isfinite(value) else None for value in rounded.tolist()]
