# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg report`: a recording of any kind as a 12-lead page, and in a few lines what can be read from it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from mecg.app.garbage import collected_later
from mecg.app.models import network_of
from mecg.app.options import ModelOptions, SourceOptions
from mecg.app.terminal import put, put_json, say
from mecg.cli.help_text import Help
from mecg.cli.options import add_force, add_identity, add_reading, add_unit_and_rate
from streamer.core.calibration.correction import PersonalNetwork
from streamer.core.errors import InputError
from streamer.core.events import UNTRUSTED, Beat, QualityChanged
from streamer.core.leads import canonical_lead
from streamer.core.network.latency import budget
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.rate import RateConverter
from streamer.core.stream import Chunk, Frame, Placement, StreamInfo
from streamer.core.vitals.vitals import Vitals
from streamer.export.page import FOOTER, Page, heart_rate_words, rate_of, render_pdf, render_png
from streamer.export.page_layout import PAGE_S
from streamer.formats.atomic_write import refuse_existing, refuse_folder, write_private
from streamer.formats.recording import Stated, without_identity
from streamer.formats.registry import split_reading
from streamer.lead_recording import LeadRecording, open_recording
from streamer.reconstruction import HOP_S
from streamer.session.description import SessionDescription
from streamer.session.source_words import page_words

LEAST_S = 2.0
"""So long the filters settle: of less there is nothing to show."""

_ENDS = re.compile(r"\.(csv|tsv|txt|json|zip|edf|bdf|hea|dat|mat|atc|dcm|xdf|ecg)", re.I)

NOT_TO_READ = (
    "no diagnosis: the estimated leads are likely, not measured",
    "no ST changes, infarction, hypertrophy, bundle branch block or axis from the estimated leads",
    "no intervals or amplitudes to the millimetre: what is shown is band-limited",
)


HELP = Help(
    about=(
        "Makes a 12-lead page (PDF and PNG) of the first 10 s of any recording, and says in a few lines "
        "what can be read from it and what cannot."
    ),
    examples=(
        "mecg report ecg_2026-03-14.csv --open",
        "mecg report 'export.zip?reading=2' --out pages --json",
    ),
    takes=("mecg.formats",),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("file", metavar="FILE", help="a recording: see docs/files.md")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where the page goes (here)")
    parser.add_argument("--open", action="store_true", help="show the page")
    parser.add_argument("--json", action="store_true", help="the text as JSON")
    add_reading(parser)
    add_unit_and_rate(parser)
    add_identity(parser)
    add_force(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    file: str
    out: Path
    open: bool
    json: bool
    source: SourceOptions
    models: ModelOptions
    force: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """The stretch that the page shows, and what was found in it."""

    frame: Frame
    about: SessionDescription
    quality: tuple[str, ...]
    """What is wrong with the measured lead, in words; nothing if it is good."""
    faint: NDArray[np.bool_]
    """Where the filters settled or the input was not to be trusted."""
    bpm: float
    """The heart rate of that stretch; NaN if it is unknown."""


def run(options: Options) -> int:
    """Write both files, or none, and say what they show."""
    with collected_later():  # a tenth of the two seconds that it takes
        facts, files = _made(options)
    if options.json:
        put_json(facts)
    else:
        put(*_lines(facts))
    if options.open:
        _open(files[0])
    return 0


def beside_others(file: str, folder: Path, model: Path | None) -> tuple[Path, ...]:
    """The page of a file in a folder that may hold others of its name; raises as `run`."""
    path = _path_of(file)
    name = "report" if path is None else _name(path)
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    stem = next(one for one in names if not any((folder / f"{one}{end}").exists() for end in _ENDS_MADE))
    models = ModelOptions(model)
    return _made(Options(file, folder, False, False, SourceOptions(), models, False), stem)[1]


_ENDS_MADE = (".pdf", ".png")


def _made(options: Options, stem: str | None = None) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """What is said of the recording, and the files that were written: both, or none."""
    path = _path_of(options.file)
    if path is None:
        raise InputError(f"{options.file} is no file; record it first, with mecg stream --record")
    stem = stem or _name(path, options.source.keep_identity)
    files = {end: options.out / f"{stem}{end}" for end in _ENDS_MADE}
    refuse_folder(options.out)
    for file in files.values():
        refuse_existing(file, force=options.force)
    stated = options.source
    placement = Placement(stated.placement) if stated.placement else Placement.UNSTATED
    about = Stated(stated.unit_mv, stated.rate_hz, stated.lead, placement)
    recording = open_recording(path, about)
    source = FileReplay(
        path,
        lead=stated.lead,
        invert=stated.invert,
        placement=placement,
        unit_mv=stated.unit_mv,
        rate_hz=stated.rate_hz,
        keep_identity=stated.keep_identity,
        replay=Replay(speed=float("inf")),
        chunk_samples=round(recording.rate_hz),
    )
    shown = _shown(source, options.models)
    facts = _facts(recording, shown)
    page = _page(shown, facts)
    _write({files[".pdf"]: render_pdf(page), files[".png"]: render_png(page)})
    facts["files"] = [str(file) for file in files.values()]
    return facts, tuple(files.values())


def _shown(source: FileReplay, models: ModelOptions) -> Shown:
    """The first 10 s after the filters have settled; all that there is if it is shorter."""
    info, network = source.open(), network_of(models.model, models.bands)
    person, whose = _person(network, models.calibration, info)
    spec = network.spec
    pipeline = Pipeline(info, person, hop=spec.hop_of(HOP_S))
    latency = budget(spec, RateConverter(info.rate_hz, spec.rate_hz))
    about = SessionDescription.of(info, person.spec, latency, whose)
    vitals = Vitals(spec.rate_hz, info, latency.low_pass_delay_10hz_ms / 1e3)
    frames: list[Frame] = []
    found: list[QualityChanged] = []
    beats: list[Beat] = []

    def watch(frame: Frame) -> None:
        frames.append(frame)
        for event in vitals.push(frame):
            if isinstance(event, QualityChanged):
                found.append(event)
            elif isinstance(event, Beat):
                beats.append(event)

    sound = 0
    for item in source.items():
        if not isinstance(item, Chunk):
            continue
        vitals.chunk(item)
        for frame in pipeline.push(item):
            watch(frame)
            sound += int((frame.valid & ~frame.settling).sum())
        if sound >= PAGE_S * spec.rate_hz:
            source.stop()
    for frame in pipeline.finish():
        watch(frame)
    whole = _joined(frames)
    good = np.flatnonzero(whole.valid & ~whole.settling)
    if not len(good):
        raise InputError(
            f"{_name_of(info)} holds no {LEAST_S:g} s of signal in one piece: so long the filters settle"
        )
    n = round(PAGE_S * spec.rate_hz)
    first = max(0, min(int(good[0]), len(whole.valid) - n))
    begins_s, ends_s = first / spec.rate_hz, (first + n) / spec.rate_hz
    bpm = rate_of([beat.rr_s for beat in beats if begins_s <= beat.at_s - beat.rr_s < beat.at_s < ends_s])
    part = slice(first, first + n)
    faint = (whole.settling | _untrusted(found, len(whole.valid), spec.rate_hz))[part]
    return Shown(_cut(whole, part), about, _wrong(found), faint, bpm)


def _path_of(text: str) -> Path | None:
    if ":" not in text:
        return Path(text)
    from devices.registry import recording_of  # loads Bluetooth and LSL, which a page of a file need not

    return recording_of(text)


def _person(
    network: Network, calibration: Path | None, info: StreamInfo
) -> tuple[Network | PersonalNetwork, str]:
    """The model with a person's correction, and what names it."""
    if calibration is None:
        return network, ""
    from mecg.app.session_builder import personal_of, words_of  # as `_path_of`

    person = personal_of(network, calibration, info)
    return person, words_of(person)


def _wrong(found: list[QualityChanged]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.text.removeprefix("quality: ") for event in found if event.wrong))


def _untrusted(found: list[QualityChanged], n: int, rate_hz: float) -> NDArray[np.bool_]:
    """``(n,)``: from each judgement that the input is not to be trusted to the next one that it is."""
    untrusted = np.zeros(n, np.bool_)
    for event in found:
        untrusted[round(event.at_s * rate_hz) :] = bool(event.wrong & UNTRUSTED)
    return untrusted


def _joined(frames: list[Frame]) -> Frame:
    """One frame of all, NaN where the index jumps."""
    stop, rate_hz = frames[-1].stop, frames[-1].rate_hz
    whole = Frame(
        0,
        rate_hz,
        np.full((12, stop), np.nan, np.float32),
        np.full(stop, np.nan, np.float32),
        np.full((12, stop), np.nan, np.float32),
        np.zeros(stop, np.bool_),
        np.zeros(stop, np.bool_),
    )
    for frame in frames:
        here = slice(frame.start, frame.stop)
        whole.leads_mv[:, here], whole.scale_mv[:, here] = frame.leads_mv, frame.scale_mv
        whole.measured_mv[here], whole.valid[here] = frame.measured_mv, frame.valid
        whole.settling[here] = frame.settling
    return whole


def _cut(whole: Frame, part: slice) -> Frame:
    return Frame(
        part.start,
        whole.rate_hz,
        whole.leads_mv[:, part],
        whole.measured_mv[part],
        whole.scale_mv[:, part],
        whole.valid[part],
        whole.settling[part],
    )


def _facts(recording: LeadRecording, shown: Shown) -> dict[str, Any]:
    """What is said of the recording; nothing of whose it is."""
    stream, frame = shown.about.stream, shown.frame
    begins_s = frame.start / frame.rate_hz
    lead = _lead(stream)
    return {
        "kind": recording.kind,
        "rate_hz": recording.rate_hz,
        "length_s": recording.samples / recording.rate_hz,
        "began": None if recording.began is None else _instant(recording.began),
        **({"identity": stream.identity} if stream.identity else {}),
        "lead": lead,
        "is_lead_i": stream.is_lead_i,
        "inverted": stream.inverted,
        "placement": stream.placement.value,
        "shown_s": [begins_s, begins_s + len(frame.valid) / frame.rate_hz],
        "missing_s": float((~frame.valid).sum() / frame.rate_hz),
        "quality": list(shown.quality),
        "estimated": [name for name, origin in shown.about.origins.items() if origin != "measured"],
        "model": shown.about.model_in_words,
        "filters": shown.about.filters,
        "do_not_read": [
            *NOT_TO_READ,
            *([] if stream.is_lead_i else [f"nothing at all from the estimated leads: {lead} is not Lead I"]),
        ],
        "notes": list(stream.notes[1:]),
    }


def _lines(facts: Mapping[str, Any]) -> list[str]:
    begins_s, ends_s = facts["shown_s"]
    quality = "; ".join(facts["quality"]) or "nothing found that speaks against it"
    lead = facts["lead"] + ("" if facts["is_lead_i"] else " (not Lead I)")
    return [
        f"file        {facts['kind']}, {facts['length_s']:.1f} s at {facts['rate_hz']:g} Hz",
        f"began       {facts['began'] or 'not stated'}",
        *([f"identity    {facts['identity']}"] if "identity" in facts else []),
        f"measured    {lead}{', polarity turned' if facts['inverted'] else ''}",
        f"quality     until {ends_s:.0f} s: {quality}",
        f"estimated   {', '.join(facts['estimated'])}; {facts['model']}",
        f"page        {begins_s:.1f} to {ends_s:.1f} s of the recording, {facts['filters']}",
        *(f"do not read {line}" for line in facts["do_not_read"]),
        *(f"note        {line}" for line in facts["notes"]),
        *(f"written     {file}" for file in facts["files"]),
        FOOTER,
    ]


def _page(shown: Shown, facts: Mapping[str, Any]) -> Page:
    about, frame = shown.about, shown.frame
    begins_s, ends_s = facts["shown_s"]
    when = facts["began"].replace("T", " ") if facts["began"] else "date not stated"
    return Page(
        leads_mv=frame.leads_mv,
        rate_hz=frame.rate_hz,
        measured_mv=frame.measured_mv,
        band_mv=about.half_width_mv(frame.scale_mv, "0.9"),
        faint=shown.faint,
        kind=page_words(about.stream),
        heart_rate=heart_rate_words(shown.bpm),
        source=f"{facts['kind']}, {facts['length_s']:.1f} s at {facts['rate_hz']:g} Hz",
        lead=facts["lead"],
        is_lead_i=facts["is_lead_i"],
        quality="; ".join(shown.quality),
        started=f"{when} · {begins_s:.1f} to {ends_s:.1f} s of the recording",
        filters=about.filters,
        model=about.model_in_words,
        latency=f"{about.latency.total_ms:.0f} ms algorithmic, removed",
        caution=about.caution,
    )


def _instant(began: datetime) -> str:
    """To the millisecond; without a date if the file states none."""
    text = began.isoformat(timespec="milliseconds")
    return text if began.year > 1 else text.partition("T")[2]


def _lead(stream: StreamInfo) -> str:
    return "I" if stream.is_lead_i else canonical_lead(stream.shown_lead) or stream.shown_lead


def _name_of(info: StreamInfo) -> str:
    return Path(info.source).name


def _name(path: Path, keep_identity: bool = False) -> str:
    """A name for the files: the recording's own, and which reading, in letters that every system allows."""
    text, reading = split_reading(str(path) if keep_identity else without_identity(str(path)))
    stem = re.sub(
        r"\.(csv|tsv|txt|json|zip|edf|bdf|hea|dat|mat|atc|dcm|xdf|ecg)$", "", Path(text).name, flags=re.I
    )
    stem = re.sub(r"[^\w. -]", "_", stem if reading is None else f"{stem}-{reading}")[:64]
    return stem or "report"


def _write(files: Mapping[Path, bytes]) -> None:
    """All of the files, or none; raises OSError."""
    (folder,) = {file.parent for file in files}
    was_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    try:
        for file, data in files.items():
            write_private(file, data)
            written.append(file)
    except OSError:
        for file in written:
            file.unlink(missing_ok=True)
        if not was_there:
            folder.rmdir()
        raise


def _open(file: Path) -> None:
    """Show a file with what the system shows such files with."""
    if sys.platform == "win32":
        os.startfile(file)
        return
    viewer = "open" if sys.platform == "darwin" else "xdg-open"
    try:
        viewing = subprocess.Popen(
            [viewer, str(file.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        threading.Thread(target=viewing.wait, daemon=True).start()  # it stays as long as the user likes
    except OSError:
        say(f"there is no {viewer} here to show it: open {file} yourself")
