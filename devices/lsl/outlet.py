# SPDX-License-Identifier: MIT
"""The twelve leads as a Lab Streaming Layer stream, for LabRecorder, MATLAB, MNE and the rest.

LSL has no authentication: anyone who reaches this machine's ports 16572 and up can read an open outlet.
So nothing is opened unless it was asked for.  pylsl, and with it liblsl, is loaded when it is.

The metadata follow the XDF project's pages for EEG and for synchronization; there is none for ECG.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.lsl.library import LslClock, load_pylsl
from streamer.core.errors import InputError
from streamer.core.events import Event
from streamer.core.leads import LEADS
from streamer.core.stream import Chunk, Frame, Samples, StreamInfo
from streamer.export.band import BAND, HALF_WIDTH, NO_BAND, half_width_of
from streamer.recording.redact import without_folders
from streamer.session.description import NOT_FOR_DIAGNOSIS, SessionDescription
from streamer.session.event_wire import words
from streamer.session.sink import Sink

_BAND_TYPE = "Uncertainty"
"""As in our session files.  Not ``ECG``, nor leads for labels: who looks for an ECG must not find widths."""

LINGER_S = 0.2
"""An outlet that closes may take along what is still on its way, so it stays open for this long."""


class LslOutlet(Sink):
    """A sink: one float32 stream of type ECG, one of its uncertainty and one of markers.

    The stream is regular, at the model's rate, with a chunk for each frame and a stamp for each
    sample: the instant of that sample of the ECG, on LSL's clock.  The algorithmic latency is taken
    out of the stamps; it only says how much later a sample is sent.  A lost sample is NaN in every
    lead.  Markers are ``KIND: TEXT`` of every event, in the stream ``NAME-events``; a beat is ``beat``,
    stamped as the sample of its R peak.  Where the model states a 90 % band, ``NAME-band`` has its half
    widths, sample by sample with the same stamps.

    Parameters
    ----------
    name : str
        Of the stream.
    """

    name = "LSL outlet"

    def __init__(self, name: str) -> None:
        if not name.strip():
            raise InputError("an LSL stream needs a name, such as mecg")
        self._stream_name = name
        self._ecg: Any = None
        self._events: Any = None
        self._band: Any = None
        self._zero_s = nan  # the instant of sample 0, by the newest frame

    def open(self, description: SessionDescription) -> None:
        """Make the streams known on the network.

        Raises
        ------
        InputError
            There is no liblsl on this platform.
        """
        lsl = load_pylsl()
        self._latency_s = description.latency.total_ms / 1e3
        stream = description.stream
        source_id = source_id_of(self._stream_name, stream, description.rate_hz)
        channels = [_Channel(lead, description.origins[lead], description.band) for lead in LEADS]
        info = _ecg_info(lsl, self._stream_name, description.rate_hz, source_id, channels)
        banded = BAND in description.bands
        band_name = f"{self._stream_name}-band"
        _describe(info.desc(), description, band_name if banded else NO_BAND)
        events = lsl.StreamInfo(
            f"{self._stream_name}-events",
            "Markers",
            1,
            lsl.IRREGULAR_RATE,
            lsl.cf_string,
            f"{source_id}-events",
        )
        _add(events.desc(), "channels", channel={"label": "event", "type": "Markers"})
        self._clock = LslClock(lsl.local_clock)
        self._ecg = lsl.StreamOutlet(info)
        self._events = lsl.StreamOutlet(events)
        if banded:
            widths = [_Channel(half_width_of(channel.label), channel.origin) for channel in channels]
            band = _ecg_info(lsl, band_name, description.rate_hz, f"{source_id}-band", widths, _BAND_TYPE)
            _describe(band.desc(), description, f"{HALF_WIDTH} of each lead of {self._stream_name}")
            self._band = lsl.StreamOutlet(band)
        self._description = description

    def frame(self, frame: Frame) -> None:
        """Send a frame as one chunk."""
        start_s = frame.start / frame.rate_hz
        first_s = frame.device_s
        if not isfinite(first_s):  # a source without stamps: the newest sample came when the chunk did
            known_s = frame.arrival_s if isfinite(frame.arrival_s) else time.monotonic()
            first_s = known_s - self._latency_s
        self._zero_s = first_s - start_s
        sent_s = self._clock.of(first_s)
        _push(self._ecg, frame.leads_mv.T, sent_s, frame.rate_hz)
        half_width_mv = self._description.half_width_mv(frame.scale_mv, BAND)
        if half_width_mv is not None:
            _push(self._band, half_width_mv.T, sent_s, frame.rate_hz)

    def event(self, event: Event) -> None:
        """Send an event as a marker, stamped as the sample at which it happened, or when it did."""
        host_s = event.host_s
        if isfinite(event.at_s) and isfinite(self._zero_s):
            host_s = self._zero_s + event.at_s
        elif not isfinite(host_s):
            host_s = time.monotonic()
        self._events.push_sample([words(event)], self._clock.of(host_s))

    def close(self) -> None:
        """Let what was sent arrive, then end the streams."""
        outlets = (self._ecg, self._band, self._events)
        self._ecg = self._band = self._events = None
        _end(outlets)


class LslSender:
    """Sends one measured lead as it comes, every sample with its stamp: what a sensor's bridge does.

    A lost sample is not sent, and so a gap in the stamps.

    Parameters
    ----------
    name : str
        Of the stream.
    info : StreamInfo
        Of the source.

    Raises
    ------
    InputError
        There is no liblsl on this platform, or the name is empty.
    """

    def __init__(self, name: str, info: StreamInfo) -> None:
        if not name.strip():
            raise InputError("an LSL stream needs a name, such as mecg")
        lsl = load_pylsl()
        self._rate_hz = info.rate_hz
        channel = _Channel(info.lead, "measured")
        description = _ecg_info(lsl, name, info.rate_hz, source_id_of(name, info, info.rate_hz), [channel])
        desc = description.desc()
        _add(
            desc,
            "acquisition",
            model=info.device or "mecg send",
            source=without_folders(info.source),
            source_kind=info.kind.name.lower(),
        )
        _add(desc, "synchronization", offset_mean="0", can_drop_samples="true")
        self._clock = LslClock(lsl.local_clock)
        self._outlet = lsl.StreamOutlet(description)

    def send(self, chunk: Chunk) -> None:
        """Send a chunk; a sample without a stamp of its own was measured when it came."""
        first_s = chunk.device_s
        if not isfinite(first_s):
            last_s = chunk.arrival_s if isfinite(chunk.arrival_s) else time.monotonic()
            first_s = last_s - (len(chunk.lead_mv) - 1) / self._rate_hz
        _push(self._outlet, chunk.lead_mv[:, None], self._clock.of(first_s), self._rate_hz)

    def close(self) -> None:
        """Let what was sent arrive, then end the stream."""
        outlet, self._outlet = self._outlet, None
        _end([outlet])


@dataclass(frozen=True, slots=True)
class _Channel:
    label: str
    origin: str
    band: tuple[str, str] | None = None
    """The input band's ends, Hz; None if the signal is as the source gave it."""


def source_id_of(name: str, stream: StreamInfo, rate_hz: float) -> str:
    """The same after a restart, so that readers recover; another for whatever is another stream."""
    parts = (platform.node(), name, stream.source, stream.lead, f"{rate_hz:.12g}")
    return f"mecg-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"


def _ecg_info(
    lsl: Any, name: str, rate_hz: float, source_id: str, channels: Iterable[_Channel], kind: str = "ECG"
) -> Any:
    channels = list(channels)
    info = lsl.StreamInfo(name, kind, len(channels), rate_hz, lsl.cf_float32, source_id)
    tree = info.desc().append_child("channels")
    for channel in channels:
        node = tree.append_child("channel")
        for key, value in (
            ("label", channel.label),
            ("unit", "millivolts"),
            ("type", kind),
            ("origin", channel.origin),
        ):
            node.append_child_value(key, value)
        if channel.band is not None:
            low, high = channel.band
            filtering = node.append_child("filtering")
            _add(filtering, "highpass", upper=low)  # edges of the pass band, at -3 dB
            _add(filtering, "lowpass", lower=high)
    return info


def _describe(desc: Any, description: SessionDescription, band: str) -> None:
    stream = description.stream
    _add(
        desc,
        "acquisition",
        model=stream.device or "unknown",
        source=without_folders(stream.source),
        source_kind=stream.kind.name.lower(),
    )
    # "Subtract offset_mean from the stamps": nothing is left to subtract.  Under overload a live
    # session drops, so readers must not take the samples for gapless.
    _add(desc, "synchronization", offset_mean="0", can_drop_samples="true")
    _add(
        desc,
        "reconstruction",
        input_lead=stream.lead,
        input_is_lead_i=str(stream.is_lead_i).lower(),
        input_inverted=str(stream.inverted).lower(),
        placement=stream.placement.value,
        model=description.model,
        model_version=description.model_version,
        calibration=description.whose,
        input_band=description.filters,
        uncertainty=band,
        latency_subtracted_ms=f"{description.latency.total_ms:.4f}",
        latency_to_subtract_ms="0",
        warning="; ".join(description.warnings) or NOT_FOR_DIAGNOSIS,
    )


def _add(parent: Any, name: str, /, **children: str | dict[str, str]) -> None:
    node = parent.append_child(name)
    for key, value in children.items():
        if isinstance(value, dict):
            _add(node, key, **value)
        else:
            node.append_child_value(key, value)


def _push(outlet: Any, samples: Samples, first_s: float, rate_hz: float) -> None:
    """Send ``(n, channels)`` mV, the first of them measured at ``first_s`` of LSL's clock."""
    stamps: NDArray[np.float64] = first_s + np.arange(len(samples)) / rate_hz
    outlet.push_chunk(samples, stamps.tolist())


def _end(outlets: Iterable[Any]) -> None:
    """Wait where somebody reads; the outlets end with the last reference to them."""
    if any(outlet is not None and outlet.have_consumers() for outlet in outlets):
        time.sleep(LINGER_S)
