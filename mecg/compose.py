# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the parts together: a source, a model, the path between them."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from importlib import metadata
from math import ceil
from pathlib import Path

import numpy as np

from devices.open_source import open_source
from devices.pacing import AS_RECORDED, Drop, Replay
from devices.session_replay import SessionReplay
from devices.source import Source
from mecg import __version__, calibration_file
from mecg.interrupt import deferred
from mecg.model_file import fingerprint, model_bytes, model_name, network_of
from streamer.beats import BeatDetector
from streamer.errors import InputError
from streamer.network import Network
from streamer.personal import Calibration, DriftWatch, PersonalNetwork
from streamer.pipeline import Pipeline
from streamer.run.as_recorded import AsRecorded
from streamer.run.compiling import without_linear_algebra
from streamer.run.lsl_outlet import LslOutlet
from streamer.run.recorder import Recorder
from streamer.run.session import Session, SessionReport
from streamer.run.session_file import platform_facts
from streamer.run.sessions import default_folder
from streamer.run.sink import SessionDescription
from streamer.stream import Chunk, Event, Frame, Placement, StreamInfo
from streamer.vitals import Vitals

BUNDLED_RECORDING = Path(__file__).parent.parent / "recordings" / "ptb" / "s0010_re"


def source_of(
    text: str | None,
    *,
    lead: str | None = None,
    invert: bool = False,
    placement: str | None = None,
    replay: Replay = AS_RECORDED,
) -> Source:
    """The source that a user names, or the bundled recording, announced on stderr; not yet open.

    Raises
    ------
    InputError
        Where there is no such kind of source, or no bundled recording.
    """
    if text is None:
        if not BUNDLED_RECORDING.with_suffix(".hea").exists():
            raise InputError("this installation has no bundled recordings: name a SOURCE")
        text = f"wfdb:{_from_here(BUNDLED_RECORDING)}"
        print(f"no SOURCE given: playing the bundled recording {text}", file=sys.stderr)
    where = Placement(placement) if placement else Placement.UNSTATED
    return open_source(text, lead=lead, invert=invert, placement=where, replay=replay)


def replay_of(speed: float, start_s: float, loop: bool, drop: str | None) -> Replay:
    """How to play a recording, from what the options say.

    Raises
    ------
    InputError
        Where ``drop`` does not read as ``5%`` or ``5%:2s``.
    """
    return Replay(speed, start_s, loop, None if drop is None else Drop.parse(drop))


def personal_of(
    network: Network, calibration: Path | Calibration | None, info: StreamInfo
) -> Network | PersonalNetwork:
    """The model with a person's correction, from a file or as it was learned; as it is where there is none.

    Raises
    ------
    InputError
        Where the file cannot be used, or is for another model or another way to measure.
    """
    if calibration is None:
        return network
    person = calibration if isinstance(calibration, Calibration) else calibration_file.read(calibration)
    calibration_file.refuse_unfit(person, info)
    return PersonalNetwork(network, person)


def words_of(network: Network | PersonalNetwork) -> str:
    """What names the person's calibration; nothing where the model is generic."""
    return network.calibration.origin.words() if isinstance(network, PersonalNetwork) else ""


def pipeline_of(info: StreamInfo, network: Network | PersonalNetwork) -> Pipeline:
    """The path for a stream, compiled and warm: its first frame is as quick as any.

    Raises
    ------
    InputError
        Where the stream's rate cannot be used.
    """
    with deferred(), without_linear_algebra():
        warm_up = Pipeline(info, network, clock=time.monotonic)
        warm_up.push(Chunk(0, np.zeros(round(info.rate_hz), np.float32)))
        warm_up.finish()
    return Pipeline(info, network, clock=time.monotonic)


def core_of(
    source: Source,
    info: StreamInfo,
    model: Path | None,
    *,
    calibration: Path | Calibration | None = None,
    as_recorded: bool = False,
) -> tuple[Pipeline | AsRecorded, SessionDescription]:
    """What makes the twelve leads of an open source, and what every sink is told.

    Raises
    ------
    InputError
        Where the model or the stream's rate cannot be used, or what was recorded cannot be shown so.
    """
    if not as_recorded:
        network = personal_of(network_of(model), calibration, info)
        pipeline = pipeline_of(info, network)
        return pipeline, SessionDescription.of(info, network.spec, pipeline.latency, words_of(network))
    if not isinstance(source, SessionReplay):
        raise InputError("--as-recorded is for a recorded session: name it as session:FILE")
    recorded = source.recording.description
    replay = source.replay
    if model or calibration or replay.loop or replay.drop or info.inverted != recorded.stream.inverted:
        raise InputError(
            "--as-recorded shows what was recorded: leave out --model, --latency, --calibration, "
            "--loop, --drop, --invert"
        )
    return AsRecorded(source.recording, source.origin), dataclasses.replace(recorded, stream=info)


def vitals_of(description: SessionDescription, core: Pipeline | AsRecorded | None = None) -> Vitals:
    """What watches the beats, the alarms and the quality of a session's measured lead; compiled.

    With the core of a calibrated session it also says when the calibration no longer fits; of one that is
    shown as recorded, when that was said then.
    """
    with deferred(), without_linear_algebra():
        BeatDetector(description.rate_hz).push(0, np.zeros(1, np.float32))
    delay_s = description.latency.low_pass_delay_10hz_ms / 1e3
    if core is not None and description.calibration:
        drifts = _drifts_as_recorded(core) if isinstance(core, AsRecorded) else _drifts(core)
        return _VitalsAndDrift(description.rate_hz, description.stream, delay_s, drifts)
    return Vitals(description.rate_hz, description.stream, delay_s)


class _VitalsAndDrift(Vitals):
    def __init__(
        self, rate_hz: float, stream: StreamInfo, delay_s: float, drifts: Callable[[float], list[Event]]
    ) -> None:
        super().__init__(rate_hz, stream, delay_s)
        self._drifts = drifts

    def push(self, frame: Frame) -> list[Event]:
        """As `Vitals.push`."""
        return super().push(frame) + self._drifts(frame.stop / frame.rate_hz)


def _drifts(core: Pipeline) -> Callable[[float], list[Event]]:
    """What is to be told of a calibration at an instant of the stream."""
    watch = DriftWatch()
    return lambda at_s: watch.push(core.drift, at_s)


def _drifts_as_recorded(core: AsRecorded) -> Callable[[float], list[Event]]:
    """What was told of it then, up to an instant; of what is skipped only what stands."""
    told_then = core.told("drift")
    skipped = [event for event in told_then if event.at_s < 0][-1:]
    left = deque(dataclasses.replace(event, at_s=0.0) for event in skipped if event.value > 0)
    left.extend(event for event in told_then if event.at_s >= 0)

    def until(at_s: float) -> list[Event]:
        told = []
        while left and left[0].at_s <= at_s:
            told.append(left.popleft())
        return told

    return until


def attach_recorder(session: Session, args: argparse.Namespace) -> None:
    """Record the session where ``--record`` says so; before the other sinks are attached.

    Raises
    ------
    InputError
        Where what is shown is a recording already.
    """
    if args.record is None:
        return
    if args.as_recorded:
        raise InputError("--as-recorded shows what was recorded already: leave out --record")
    facts = {"mecg": __version__, "onnxruntime": metadata.version("onnxruntime"), **platform_facts()}
    facts["model_file"] = model_name(args.model)
    facts["model_sha256"] = fingerprint(model_bytes(args.model))
    settings = {key: value for key, value in vars(args).items() if key not in ("command", "source", "record")}
    facts |= {f"--{key.replace('_', '-')}": str(value) for key, value in settings.items() if value}
    folder = default_folder() if args.record is True else args.record
    session.attach(Recorder(folder, facts, session.tell))


def attach_outlet(session: Session, name: str | None, replay: Replay) -> None:
    """Send the twelve leads over LSL under this name, where there is one.

    Raises
    ------
    InputError
        Where the replay does not run in real time.
    """
    if name is not None:
        refuse_other_speeds(replay, "--lsl-out")
        session.attach(LslOutlet(name))


def refuse_other_speeds(replay: Replay, option: str) -> None:
    """Raise an `InputError` where a replay would have stamps that no clock has."""
    if replay.speed != 1:
        raise InputError(f"{option} sends in real time, with the stamps of a real clock: leave --speed out")


def say_notes(info: StreamInfo) -> None:
    """Tell the user what the source has chosen, on stderr."""
    for note in info.notes:
        print(note, file=sys.stderr)


def raise_failure(report: SessionReport) -> None:
    """Raise what ended a part of a session before its time, where something did."""
    for error in report.failures.values():
        raise error


class FirstSeconds:
    """The first seconds of another source, to the sample; follows `devices.source.Source`.

    A live one also ends when that long has passed since the start, whatever has come by then.

    Parameters
    ----------
    source : Source
        Not yet open.
    seconds : float or None
        None is all of it.
    """

    def __init__(self, source: Source, seconds: float | None) -> None:
        self._source = source
        self._seconds = seconds
        self._samples: int | None = None
        self._live = False

    def open(self) -> StreamInfo:
        """Open the other source; raises as it does."""
        info = self._source.open()
        self._live = info.live
        if self._seconds is None:
            return info
        self._samples = ceil(self._seconds * info.rate_hz)
        known = self._samples if info.samples is None else min(self._samples, info.samples)
        return dataclasses.replace(info, samples=known)

    def items(self) -> Iterator[Chunk | Event]:
        """Everything up to the last sample, which may cut the last chunk."""
        timer = None
        if self._live and self._seconds is not None:
            timer = threading.Timer(self._seconds, self._source.stop)
            timer.daemon = True
            timer.start()
        try:
            enough = False
            for item in self._source.items():
                if not isinstance(item, Chunk):
                    yield item
                elif enough:
                    continue  # what a live source had received before it heard of the stop
                elif self._samples is not None and item.stop >= self._samples:
                    yield _cut(item, self._samples)
                    enough = True
                    self._source.stop()
                else:
                    yield item
        finally:
            if timer is not None:
                timer.cancel()

    def stop(self) -> None:
        """Ask `items` to end."""
        self._source.stop()


def _cut(chunk: Chunk, stop: int) -> Chunk:
    n = max(stop - chunk.start, 0)
    reference_mv = None if chunk.reference_mv is None else chunk.reference_mv[:, :n]
    start = min(chunk.start, stop)  # the end may lie in a gap
    return dataclasses.replace(chunk, start=start, lead_mv=chunk.lead_mv[:n], reference_mv=reference_mv)


def _from_here(path: Path) -> Path:
    """The shorter of a path's absolute form and that from the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
