# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg reconstruct`: WFDB records in, 12-lead WFDB records out, as fast as it goes."""

from __future__ import annotations

import multiprocessing
import re
import signal
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from devices.registry import recording_of
from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from mecg.app.interrupt import deferred
from mecg.app.models import network_of
from mecg.app.options import ModelOptions, SourceOptions
from mecg.app.session_builder import personal_of, words_of
from mecg.app.terminal import say, words
from mecg.cli.exit_codes import error_line
from mecg.cli.help_text import Help
from mecg.cli.options import add_force, add_identity, add_jobs, add_reading, add_unit_and_rate
from mecg.cli.progress_bar import Bar
from streamer.core.calibration.correction import PersonalNetwork
from streamer.core.errors import InputError
from streamer.core.network.latency import budget
from streamer.core.network.network import Network
from streamer.core.network.parts import ALL_BANDS
from streamer.core.pipeline import Pipeline
from streamer.core.signal.rate import RateConverter
from streamer.core.stream import Chunk, Placement
from streamer.export.band import band_name
from streamer.export.wfdb_sink import WfdbSink
from streamer.formats import calibration_file
from streamer.formats.recording import without_identity
from streamer.formats.registry import split_reading
from streamer.formats.wfdb_files import is_kind
from streamer.formats.wfdb_writer import record_name
from streamer.reconstruction import long_hop
from streamer.session.description import SessionDescription

CHUNK_SAMPLES = 16384
"""Read at a time: large enough that a chunk's own cost does not show."""


@dataclass(frozen=True, slots=True)
class Job:
    """How every record of a run is reconstructed; arguments as of `devices.replay.file.FileReplay`."""

    out: Path
    model: Path | None = None
    bands: str = ALL_BANDS
    calibration: Path | None = None
    lead: str | None = None
    invert: bool = False
    placement: Placement = Placement.UNSTATED
    force: bool = False
    unit_mv: float | None = None
    rate_hz: float | None = None
    keep_identity: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record."""

    path: Path
    good: bool
    words: str
    """What the user should know; often nothing where it went well."""


HELP = Help(
    about=(
        "Reconstructs recordings as fast as it goes: each becomes a 12-lead WFDB record of the same name, "
        "rate, start and length, with the algorithmic latency taken out, and a record NAME_band with the 90 "
        "% band."
    ),
    examples=(
        "mecg reconstruct recordings/ptb-xl/00010_hr --out twelve",
        "mecg reconstruct night-1.edf night-2.edf --out twelve --jobs 2",
    ),
    takes=("mecg.formats",),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("records", nargs="+", metavar="RECORD", help="a recording: see docs/files.md")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where they go")
    add_jobs(parser)
    add_reading(parser)
    add_unit_and_rate(parser)
    add_identity(parser)
    add_force(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    records: list[str]
    out: Path
    source: SourceOptions
    models: ModelOptions
    jobs: int
    force: bool


def run(options: Options) -> int:
    """Reconstruct every record; those that cannot be get a line each, and the exit code is 2."""
    source, models = options.source, options.models
    placement = Placement(source.placement) if source.placement else Placement.UNSTATED
    job = Job(
        options.out,
        models.model,
        models.bands,
        models.calibration,
        source.lead,
        source.invert,
        placement,
        options.force,
        source.unit_mv,
        source.rate_hz,
        source.keep_identity,
    )
    paths = [_path_of(text) for text in options.records]
    _refuse_clashes(paths, job)
    was_there = options.out.exists()
    bar = Bar(words(), len(paths))
    failed = 0

    def each(outcome: Outcome) -> None:
        nonlocal failed
        failed += not outcome.good
        if outcome.words:
            bar.say(f"{outcome.path}: {outcome.words}" if outcome.good else f"mecg: {outcome.words}")

    try:
        network = network_of(job.model, job.bands)  # a bad model is reported once, not for each record
        if job.calibration is not None:  # and so is a bad calibration
            PersonalNetwork(network, calibration_file.read_calibration(job.calibration))
        if options.jobs == 1 or len(paths) == 1:
            _one_by_one(paths, network, job, each, bar)
        else:
            _at_once(min(options.jobs, len(paths)), paths, job, each, bar)
    finally:
        bar.end()
        if not was_there and options.out.is_dir() and not any(options.out.iterdir()):
            options.out.rmdir()
    if failed < len(paths):
        done = len(paths) - failed
        say(f"{done} record{'s' if done > 1 else ''} written to {options.out}")
    return 2 if failed else 0


def reconstruct(
    path: Path,
    network: Network,
    job: Job,
    advance: Callable[[float], None] = lambda share: None,
    stopped: Callable[[], bool] = lambda: False,
) -> str:
    """Reconstruct one record; returns what the user should know of it, often nothing.

    Parameters
    ----------
    path : Path
        Of the record.
    network : Network
        The model.
    advance : callable
        Told each share of the record that is done; the shares add up to 1.
    stopped : callable
        Asked often; True ends it.

    Raises
    ------
    InputError, OSError
        Where the record cannot be read or the result not be written; nothing is left behind.
    KeyboardInterrupt
        Where ``stopped`` said so; nothing is left behind.
    """
    source = FileReplay(
        path,
        lead=job.lead,
        invert=job.invert,
        placement=job.placement,
        unit_mv=job.unit_mv,
        rate_hz=job.rate_hz,
        keep_identity=job.keep_identity,
        replay=Replay(speed=inf),
        chunk_samples=CHUNK_SAMPLES,
    )
    info, spec = source.open(), network.spec
    person = personal_of(network, job.calibration, info)
    pipeline = Pipeline(info, person, hop=long_hop(spec, info.samples, info.rate_hz))
    # The record states what the live path owes, not what these long hops would wait for.
    latency = budget(spec, RateConverter(info.rate_hz, spec.rate_hz))
    sink = WfdbSink(job.out, _record_name(path, job), force=job.force, began=source.began)
    sink.open(SessionDescription.of(info, person.spec, latency, words_of(person)))
    try:
        for item in source.items():
            if stopped():
                raise KeyboardInterrupt
            if isinstance(item, Chunk):
                sink.chunk(item)
                for frame in pipeline.push(item):
                    sink.frame(frame)
                advance(len(item.lead_mv) / (info.samples or inf))
        for frame in pipeline.finish():
            sink.frame(frame)
        sink.close()
    finally:
        sink.abort()
    words = [] if info.is_lead_i else [f"the input is {info.lead}, not Lead I: the record says so"]
    words += [remark.rstrip(".") for remark in source.remarks]
    if sink.clipped:
        words.append(f"{sink.clipped} samples clipped to 16 bits")
    return "; ".join(words)


def _outcome(
    path: Path,
    network: Network,
    job: Job,
    advance: Callable[[float], None],
    stopped: Callable[[], bool],
) -> Outcome:
    left = 1.0

    def advance_and_count(share: float) -> None:
        nonlocal left
        left -= share
        advance(share)

    try:
        return Outcome(path, True, reconstruct(path, network, job, advance_and_count, stopped))
    except InputError as error:
        return Outcome(path, False, error_line(error))
    except OSError as error:
        return Outcome(path, False, f"{error.filename or path}: {error.strerror or error}")
    finally:
        advance(left)


def _one_by_one(
    paths: Sequence[Path], network: Network, job: Job, each: Callable[[Outcome], None], bar: Bar
) -> None:
    with deferred() as interrupted:
        for path in paths:
            each(_outcome(path, network, job, bar.advance, interrupted))


def _at_once(jobs: int, paths: Sequence[Path], job: Job, each: Callable[[Outcome], None], bar: Bar) -> None:
    # Started afresh: a fork would copy ONNX Runtime's and numba's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    done, stop = context.Value("d", 0.0), context.Event()
    pool = ProcessPoolExecutor(jobs, context, _begin_process, (job.model, job.bands, done, stop))
    try:
        waiting = {pool.submit(_in_process, path, job) for path in paths}
        while waiting:
            ready, waiting = wait(waiting, 0.2, FIRST_COMPLETED)
            bar.show(done.value)
            for future in ready:
                each(future.result())
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


_process: tuple[Network, Any, Any]


def _begin_process(model: Path | None, bands: str, done: Any, stop: Any) -> None:
    global _process
    # Ctrl-C reaches the whole group; this process is told by ``stop``, and cleans up after itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _process = (network_of(model, bands), done, stop)


def _in_process(path: Path, job: Job) -> Outcome:
    network, done, stop = _process

    def advance(share: float) -> None:
        with done.get_lock():
            done.value += share

    return _outcome(path, network, job, advance, stop.is_set)


def _path_of(text: str) -> Path:
    path = recording_of(text)
    if path is None:
        raise InputError(f"{text} is no recording; record it first, or name a file")
    if path.suffix.lower() in (".hea", ".dat", ".mat") and is_kind(Path.is_file, path.with_suffix(".hea")):
        return path.with_suffix("")
    return path


def _record_name(path: Path, job: Job) -> str:
    """What the result is called: a WFDB record as it is, another file without its ending; as WFDB allows."""
    text, reading = split_reading(str(path))
    name = Path(text).stem if Path(text).is_file() else Path(text).name
    name = name if job.keep_identity else without_identity(name)
    return record_name(name if reading is None else f"{name}_{re.sub('[^0-9A-Za-z]', '-', reading)}")


def _refuse_clashes(paths: Sequence[Path], job: Job) -> None:
    out = job.out
    seen: dict[str, Path] = {}
    for path in paths:
        if path.parent.resolve() == out.resolve():
            raise InputError(f"{path} lies in {out} and would be overwritten: choose another --out")
        for name in (_record_name(path, job), band_name(_record_name(path, job))):
            first = seen.setdefault(name, path)
            if first is not path:
                raise InputError(f"{first} and {path} would both become {out / name}: do them one by one")
