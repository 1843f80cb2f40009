# SPDX-License-Identifier: MIT
"""Live 12-lead ECG from one measured lead: chunks of Lead I in, frames of twelve leads out.

An array in one call::

    twelve = reconstruct(lead_i_mv, rate_hz=500.0)

Live, chunk by chunk::

    pipeline = Pipeline(StreamInfo("my sensor", rate_hz=500.0), load_model("low"))
    for frame in pipeline.push(Chunk(start, lead_i_mv)):
        frame.leads_mv  # (12, n) mV, in the order of LEADS

What is listed in ``__all__`` is the public interface; everything else may change.  Signals are in mV, times
in seconds, rates in Hz.  Whatever a caller gets wrong raises an `InputError` of one line.

Names are loaded when they are first used: all of them together take a second, most of it numba's and ONNX
Runtime's, that a version's printing or a search for devices need not wait for.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.core.calibration.correction import Calibration, PersonalNetwork
    from streamer.core.errors import Field, InputError, SignalError
    from streamer.core.events import (
        Alarm,
        AlarmKind,
        AlarmsSilenced,
        BandsChanged,
        Battery,
        Beat,
        Contact,
        Drift,
        Dropped,
        Event,
        Failed,
        LeftBehind,
        LimitsChanged,
        Marker,
        Notice,
        Quality,
        QualityChanged,
        RecordingStarted,
        SamplesLost,
        Seam,
        SenderSaid,
        SensorRate,
        State,
        StateChanged,
        Topic,
        Unrecognized,
    )
    from streamer.core.leads import LEADS
    from streamer.core.network.network import Network
    from streamer.core.pipeline import Pipeline
    from streamer.core.stream import Chunk, Frame, LeadPart, Placement, StreamInfo
    from streamer.formats.calibration_file import read_calibration
    from streamer.lead_recording import LeadRecording, open_recording
    from streamer.model_files import load_model
    from streamer.reconstruction import Reconstruction, reconstruct
    from streamer.session.description import SessionDescription
    from streamer.session.session import Session
    from streamer.session.sink import Sink
    from streamer.session.source import Source

__all__ = [
    "LEADS",
    "Alarm",
    "AlarmKind",
    "AlarmsSilenced",
    "BandsChanged",
    "Battery",
    "Beat",
    "Calibration",
    "Chunk",
    "Contact",
    "Drift",
    "Dropped",
    "Event",
    "Failed",
    "Field",
    "Frame",
    "InputError",
    "LeadPart",
    "LeadRecording",
    "LeftBehind",
    "LimitsChanged",
    "Marker",
    "Network",
    "Notice",
    "PersonalNetwork",
    "Pipeline",
    "Placement",
    "Quality",
    "QualityChanged",
    "Reconstruction",
    "RecordingStarted",
    "SamplesLost",
    "Seam",
    "SenderSaid",
    "SensorRate",
    "Session",
    "SessionDescription",
    "SignalError",
    "Sink",
    "Source",
    "State",
    "StateChanged",
    "StreamInfo",
    "Topic",
    "Unrecognized",
    "load_model",
    "open_recording",
    "read_calibration",
    "reconstruct",
]

_NAMES = {
    "streamer.core.calibration.correction": "Calibration PersonalNetwork",
    "streamer.core.errors": "Field InputError SignalError",
    "streamer.core.events": (
        "Alarm AlarmKind AlarmsSilenced BandsChanged Battery Beat Contact Drift Dropped Event Failed "
        "LeftBehind LimitsChanged Marker Notice Quality QualityChanged RecordingStarted SamplesLost Seam "
        "SenderSaid SensorRate State StateChanged Topic Unrecognized"
    ),
    "streamer.core.leads": "LEADS",
    "streamer.core.network.network": "Network",
    "streamer.core.pipeline": "Pipeline",
    "streamer.core.stream": "Chunk Frame LeadPart Placement StreamInfo",
    "streamer.formats.calibration_file": "read_calibration",
    "streamer.lead_recording": "LeadRecording open_recording",
    "streamer.model_files": "load_model",
    "streamer.reconstruction": "Reconstruction reconstruct",
    "streamer.session.description": "SessionDescription",
    "streamer.session.session": "Session",
    "streamer.session.sink": "Sink",
    "streamer.session.source": "Source",
}
_WHERE = {name: module for module, names in _NAMES.items() for name in names.split()}
"""The module of each name."""

if not TYPE_CHECKING:  # a type checker would take any name for one of ours

    def __getattr__(name: str) -> object:
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_WHERE[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
