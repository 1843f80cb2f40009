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
Runtime's, that ``mecg --version`` or a search for devices need not wait for.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.core.calibration.correction import Calibration as Calibration
    from streamer.core.calibration.correction import PersonalNetwork as PersonalNetwork
    from streamer.core.errors import InputError as InputError
    from streamer.core.errors import SignalError as SignalError
    from streamer.core.events import Event as Event
    from streamer.core.events import Quality as Quality
    from streamer.core.events import State as State
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
    "Calibration",
    "Chunk",
    "Event",
    "Frame",
    "InputError",
    "LeadRecording",
    "Network",
    "PersonalNetwork",
    "Pipeline",
    "Placement",
    "Quality",
    "Reconstruction",
    "Session",
    "SessionDescription",
    "SignalError",
    "Sink",
    "Source",
    "State",
    "StreamInfo",
    "load_model",
    "open_recording",
    "read_calibration",
    "reconstruct",
]

_WHERE = {
    "Calibration": ("streamer.core.calibration.correction", "Calibration"),
    "PersonalNetwork": ("streamer.core.calibration.correction", "PersonalNetwork"),
    "InputError": ("streamer.core.errors", "InputError"),
    "SignalError": ("streamer.core.errors", "SignalError"),
    "LEADS": ("streamer.core.leads", "LEADS"),
    "Network": ("streamer.core.network.network", "Network"),
    "Pipeline": ("streamer.core.pipeline", "Pipeline"),
    "Chunk": ("streamer.core.stream", "Chunk"),
    "Event": ("streamer.core.events", "Event"),
    "Frame": ("streamer.core.stream", "Frame"),
    "Placement": ("streamer.core.stream", "Placement"),
    "Quality": ("streamer.core.events", "Quality"),
    "State": ("streamer.core.events", "State"),
    "StreamInfo": ("streamer.core.stream", "StreamInfo"),
    "read_calibration": ("streamer.formats.calibration_file", "read"),
    "load_model": ("streamer.model_files", "load_model"),
    "LeadRecording": ("streamer.lead_recording", "LeadRecording"),
    "open_recording": ("streamer.lead_recording", "open_recording"),
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
