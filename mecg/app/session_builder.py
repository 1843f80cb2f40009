# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the parts together: a source, a model, the path between them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import numpy as np

from devices.lsl.outlet import LslOutlet
from devices.registry import open_source, wfdb_source
from devices.replay.pacing import AS_RECORDED, Drop, Replay
from devices.replay.session import SessionReplay
from mecg import __version__
from mecg.app.drift_events import VitalsAndDrift, drifts, drifts_as_recorded
from mecg.app.interrupt import deferred
from mecg.app.models import fingerprint, model_bytes, model_name, network_of
from mecg.app.options import ModelOptions, ReplayOptions, SessionOptions, SourceOptions
from mecg.app.terminal import say
from streamer.core.calibration.correction import Calibration, PersonalNetwork
from streamer.core.errors import InputError
from streamer.core.events import Event
from streamer.core.leads import canonical_lead
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Placement, StreamInfo
from streamer.core.vitals.beats import LEARN_S, BeatDetector
from streamer.core.vitals.vitals import Vitals
from streamer.formats import calibration_file
from streamer.recording.encoding import platform_facts
from streamer.recording.folder import default_folder
from streamer.recording.recorder import Recorder
from streamer.recording.replay_core import ReplayCore
from streamer.session.description import SessionDescription
from streamer.session.session import Session, SessionReport
from streamer.session.source import Source

_IN_CHECKOUT = Path(__file__).parents[2] / "recordings" / "ptb" / "s0010_re"
_INSTALLED = Path(__file__).parents[1] / "recordings" / "00010_hr"
BUNDLED_RECORDING = _IN_CHECKOUT if _IN_CHECKOUT.with_suffix(".hea").exists() else _INSTALLED
"""What is played if no SOURCE is named: 38 s in a checkout, else the 10 s that are installed."""


def source_of(options: SourceOptions, replay: Replay = AS_RECORDED) -> Source:
    """The source that a user names, or the bundled recording, announced on stderr; not yet open.

    Raises
    ------
    InputError
        If there is no such kind of source, or no bundled recording.
    """
    text = options.text
    if text is None:
        text = bundled_source()
        if text is None:
            raise InputError("this installation has no bundled recordings: name a SOURCE")
        say(f"no SOURCE given: playing the bundled recording {text}")
    placement = Placement(options.placement) if options.placement else Placement.UNSTATED
    return open_source(
        text,
        lead=options.lead,
        invert=options.invert,
        placement=placement,
        replay=replay,
        unit_mv=options.unit_mv,
        rate_hz=options.rate_hz,
        keep_identity=options.keep_identity,
    )


def bundled_source() -> str | None:
    """The SOURCE of the bundled recording; None if this installation has none."""
    if not BUNDLED_RECORDING.with_suffix(".hea").exists():
        return None
    return wfdb_source(_from_here(BUNDLED_RECORDING))


def replay_of(options: ReplayOptions) -> Replay:
    """How to play a recording.

    Raises
    ------
    InputError
        If ``drop`` does not read as ``5%`` or ``5%:2s``.
    """
    drop = None if options.drop is None else Drop.parse(options.drop)
    return Replay(options.speed, options.start_s, options.loop, drop)


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
    person = (
        calibration
        if isinstance(calibration, Calibration)
        else calibration_file.read_calibration(calibration)
    )
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
    with deferred():
        warm_up = Pipeline(info, network, clock=time.monotonic)
        warm_up.push(Chunk(0, np.zeros(round(info.rate_hz), np.float32)))
        warm_up.finish()
    return Pipeline(info, network, clock=time.monotonic)


def core_of(
    source: Source,
    info: StreamInfo,
    models: ModelOptions,
    *,
    person: Calibration | None = None,
    as_recorded: bool = False,
    load: Callable[[Path | None, str], Network] = network_of,
) -> tuple[Pipeline | ReplayCore, SessionDescription]:
    """What makes the twelve leads of an open source, and what every sink gets; for this person, if one
    is given.

    Parameters
    ----------
    load : callable
        Loads the model; sessions side by side may share one.

    Raises
    ------
    InputError
        Where the model or the stream's rate cannot be used, or what was recorded cannot be shown so.
    """
    if not as_recorded:
        network = personal_of(load(models.model, models.bands), person or models.calibration, info)
        pipeline = pipeline_of(info, network)
        return pipeline, SessionDescription.of(info, network.spec, pipeline.latency, words_of(network))
    if not isinstance(source, SessionReplay):
        raise InputError("--as-recorded is for a recorded session: name it as session:FILE")
    recorded = source.recording.description
    replay = source.replay
    if (
        models != ModelOptions()
        or person
        or replay.loop
        or replay.drop
        or info.inverted != recorded.stream.inverted
    ):
        raise InputError(
            "--as-recorded shows what was recorded: leave out --model, --latency, --bands, "
            "--calibration, --loop, --drop, --invert"
        )
    return ReplayCore(source.recording, source.origin), dataclasses.replace(
        recorded, stream=dataclasses.replace(info, as_recorded=True)
    )


def vitals_of(description: SessionDescription, core: Pipeline | ReplayCore | None = None) -> Vitals:
    """What watches the beats, the alarms and the quality of a session's measured lead; compiled.

    With the core of a calibrated session it also says when the calibration no longer fits; of one that is
    shown as recorded, when that was said then.
    """
    with deferred():
        still = np.zeros(round(LEARN_S * description.rate_hz), np.float32)
        BeatDetector(description.rate_hz).push(0, still)
    delay_s = description.latency.low_pass_delay_10hz_ms / 1e3
    if core is not None and description.calibration:
        told = drifts_as_recorded(core) if isinstance(core, ReplayCore) else drifts(core)
        return VitalsAndDrift(description.rate_hz, description.stream, delay_s, told)
    return Vitals(description.rate_hz, description.stream, delay_s)


def attach_recorder(session: Session, options: SessionOptions, beside: Mapping[str, object]) -> None:
    """Record the session if that is wanted; before the other sinks are attached.

    Parameters
    ----------
    session : Session
    options : SessionOptions
        The recording states them.
    beside : mapping
        What it states of the command's own options.

    Raises
    ------
    InputError
        If what is shown is a recording already.
    """
    if options.record is None:
        return
    refuse_recording_again(options)
    session.attach(recorder_of(options, beside, session.tell))


def refuse_recording_again(options: SessionOptions) -> None:
    """Raise an `InputError` if a recording's own leads are to be recorded."""
    if options.record is not None and options.as_recorded:
        raise InputError("--as-recorded shows what was recorded already: leave out --record")


def recorder_of(
    options: SessionOptions, beside: Mapping[str, object], tell: Callable[[Event], None]
) -> Recorder:
    """A recorder of one file, in the user's folder if no other is named; see `attach_recorder`."""
    model = options.models.model
    facts = {"mecg": __version__, "onnxruntime": metadata.version("onnxruntime"), **platform_facts()}
    facts["model_file"] = model_name(model)
    facts["model_sha256"] = fingerprint(model_bytes(model))
    facts |= {name: str(value) for name, value in (options.settings() | dict(beside)).items() if value}
    return Recorder(options.record or default_folder(), facts, tell)


LISTENS = (
    "LSL listens on every network interface of this machine, whatever its configuration says of who may find "
    "the stream: in a network that you do not trust, close its TCP ports 16572 to 16604 in the firewall"
)
"""liblsl 1.17 binds to no single interface."""


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
        say(LISTENS)


def refuse_other_speeds(replay: Replay, option: str) -> None:
    """Raise an `InputError` where a replay would have stamps that no clock has."""
    if replay.speed != 1:
        raise InputError(f"{option} sends in real time, with the stamps of a real clock: leave --speed out")


def say_notes(info: StreamInfo) -> None:
    """Tell the user what the source has chosen, on stderr."""
    for note in info.notes:
        say(note)
    if info.live and not info.is_lead_i and canonical_lead(info.lead) is None:
        say("State electrodes on both arms with --placement arms; turn the polarity with --invert.")


def raise_failure(report: SessionReport) -> None:
    """Raise what ended a part of a session before its time, where something did."""
    for error in report.failures.values():
        raise error


def _from_here(path: Path) -> Path:
    """The shorter of a path's absolute form and that from the current folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
