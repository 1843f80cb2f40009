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
    from streamer.core.calibration.correction import Calibration as Calibration
    from streamer.core.calibration.correction import PersonalNetwork as PersonalNetwork
    from streamer.core.errors import Field as Field
    from streamer.core.errors import InputError as InputError
    from streamer.core.errors import SignalError as SignalError
    from streamer.core.events import Alarm as Alarm
    from streamer.core.events import AlarmKind as AlarmKind
    from streamer.core.events import AlarmsSilenced as AlarmsSilenced
    from streamer.core.events import Battery as Battery
    from streamer.core.events import Beat as Beat
    from streamer.core.events import Contact as Contact
    from streamer.core.events import Drift as Drift
    from streamer.core.events import Dropped as Dropped
    from streamer.core.events import Event as Event
    from streamer.core.events import Failed as Failed
    from streamer.core.events import LeftBehind as LeftBehind
    from streamer.core.events import LimitsChanged as LimitsChanged
    from streamer.core.events import Marker as Marker
    from streamer.core.events import Notice as Notice
    from streamer.core.events import Quality as Quality
    from streamer.core.events import QualityChanged as QualityChanged
    from streamer.core.events import RecordingStarted as RecordingStarted
    from streamer.core.events import SamplesLost as SamplesLost
    from streamer.core.events import SensorRate as SensorRate
    from streamer.core.events import State as State
    from streamer.core.events import StateChanged as StateChanged
    from streamer.core.events import Topic as Topic
    from streamer.core.events import Unrecognized as Unrecognized
    from streamer.core.leads import LEADS as LEADS
    from streamer.core.network.network import Network as Network
    from streamer.core.pipeline import Pipeline as Pipeline
    from streamer.core.stream import Chunk as Chunk
    from streamer.core.stream import Frame as Frame
    from streamer.core.stream import Placement as Placement
    from streamer.core.stream import StreamInfo as StreamInfo
    from streamer.formats.calibration_file import read as read_calibration
    from streamer.lead_recording import LeadRecording as LeadRecording
    from streamer.lead_recording import open_recording as open_recording
    from streamer.model_files import load_model as load_model
    from streamer.reconstruction import Reconstruction as Reconstruction
    from streamer.reconstruction import reconstruct as reconstruct
    from streamer.session.description import SessionDescription as SessionDescription
    from streamer.session.session import Session as Session
    from streamer.session.sink import Sink as Sink
    from streamer.session.source import Source as Source

__all__ = [
    "LEADS",
    "Alarm",
    "AlarmKind",
    "AlarmsSilenced",
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

_WHERE = {
    "Calibration": ("streamer.core.calibration.correction", "Calibration"),
    "PersonalNetwork": ("streamer.core.calibration.correction", "PersonalNetwork"),
    "Field": ("streamer.core.errors", "Field"),
    "InputError": ("streamer.core.errors", "InputError"),
    "SignalError": ("streamer.core.errors", "SignalError"),
    "Alarm": ("streamer.core.events", "Alarm"),
    "AlarmKind": ("streamer.core.events", "AlarmKind"),
    "AlarmsSilenced": ("streamer.core.events", "AlarmsSilenced"),
    "Battery": ("streamer.core.events", "Battery"),
    "Beat": ("streamer.core.events", "Beat"),
    "Contact": ("streamer.core.events", "Contact"),
    "Drift": ("streamer.core.events", "Drift"),
    "Dropped": ("streamer.core.events", "Dropped"),
    "Event": ("streamer.core.events", "Event"),
    "Failed": ("streamer.core.events", "Failed"),
    "LeftBehind": ("streamer.core.events", "LeftBehind"),
    "LimitsChanged": ("streamer.core.events", "LimitsChanged"),
    "Marker": ("streamer.core.events", "Marker"),
    "Notice": ("streamer.core.events", "Notice"),
    "Quality": ("streamer.core.events", "Quality"),
    "QualityChanged": ("streamer.core.events", "QualityChanged"),
    "RecordingStarted": ("streamer.core.events", "RecordingStarted"),
    "SamplesLost": ("streamer.core.events", "SamplesLost"),
    "SensorRate": ("streamer.core.events", "SensorRate"),
    "State": ("streamer.core.events", "State"),
    "StateChanged": ("streamer.core.events", "StateChanged"),
    "Topic": ("streamer.core.events", "Topic"),
    "Unrecognized": ("streamer.core.events", "Unrecognized"),
    "LEADS": ("streamer.core.leads", "LEADS"),
    "Network": ("streamer.core.network.network", "Network"),
    "Pipeline": ("streamer.core.pipeline", "Pipeline"),
    "Chunk": ("streamer.core.stream", "Chunk"),
    "Frame": ("streamer.core.stream", "Frame"),
    "Placement": ("streamer.core.stream", "Placement"),
    "StreamInfo": ("streamer.core.stream", "StreamInfo"),
    "read_calibration": ("streamer.formats.calibration_file", "read"),
    "LeadRecording": ("streamer.lead_recording", "LeadRecording"),
    "open_recording": ("streamer.lead_recording", "open_recording"),
    "load_model": ("streamer.model_files", "load_model"),
    "Reconstruction": ("streamer.reconstruction", "Reconstruction"),
    "reconstruct": ("streamer.reconstruction", "reconstruct"),
    "SessionDescription": ("streamer.session.description", "SessionDescription"),
    "Session": ("streamer.session.session", "Session"),
    "Sink": ("streamer.session.sink", "Sink"),
    "Source": ("streamer.session.source", "Source"),
}
"""The module that each name is in, and what it is called there."""

if not TYPE_CHECKING:  # a type checker would take any name for one of ours

    def __getattr__(name: str) -> object:
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, there = _WHERE[name]
        value = globals()[name] = getattr(importlib.import_module(module), there)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
