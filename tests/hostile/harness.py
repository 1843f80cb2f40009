# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds readers with files that are almost right, in a process that may open nothing else.

``python -m tests.hostile.harness FOLDER FIRST COUNT`` runs mutations FIRST to FIRST + COUNT, spread over the
readers.  Each must end in a result or an `InputError`, in 2 s; the whole process has 3 GB, may open files in
FOLDER and those of the installation only, and no socket and no program.  A violation is a line on stdout.
"""

from __future__ import annotations

import io
import json
import random
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from devices.bluetooth import movesense, polar
from devices.bluetooth.gatt import BadFrameError, decode_battery, decode_heart_rate
from devices.lsl.description import About, choose
from devices.replay.file import FileReplay
from devices.replay.session import SessionReplay
from gui.settings import Settings
from streamer.core.calibration.correction import Calibration, Origin
from streamer.core.errors import InputError
from streamer.core.leads import LEADS, SEVEN
from streamer.core.stream import Placement
from streamer.export.excerpt import Excerpt
from streamer.formats.calibration_file import from_bytes, to_bytes
from streamer.formats.recording import Stated
from streamer.formats.wfdb_annotation_reader import read_annotations
from streamer.formats.wfdb_reader import Record
from streamer.formats.wfdb_writer import WfdbWriter
from streamer.lead_recording import open_recording
from streamer.model_files import load_model
from streamer.recording.folder import summary
from streamer.recording.reader import Recording
from tests.hostile.mutations import changed_bytes, changed_json, changed_session
from tests.streamer.made_session import description, items, record

LONGEST_S = 2.0
MEMORY = 3 << 30
ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

Try = Callable[[random.Random], None]


def wfdb(folder: Path) -> Try:
    writer = WfdbWriter(folder, "r", 250.0)
    writer.append(np.random.default_rng(1).normal(0, 1, (12, 500)).astype(np.float32))
    writer.finish(["a comment"])
    header, data = (folder / "r.hea").read_bytes(), (folder / "r.dat").read_bytes()
    notes = (ROOT / "recordings" / "mitdb" / "100.atr").read_bytes()[:600]

    def attempt(rng: random.Random) -> None:
        (folder / "r.hea").write_bytes(changed_bytes(header, rng) if rng.random() < 0.8 else header)
        (folder / "r.dat").write_bytes(changed_bytes(data, rng) if rng.random() < 0.3 else data)
        (folder / "r.atr").write_bytes(changed_bytes(notes, rng))
        try:
            opened = Record(folder / "r.hea")
            opened.read(0, 1000)
        finally:
            read_annotations(folder / "r")

    return attempt


def session(folder: Path) -> Try:
    what = items(12, rate_hz=130.0, packet=26, loss=0.05, gap=(4, 7), hop=50, zero_s=100.0)
    path, _ = record(folder, what, description(130.0))
    whole = path.read_bytes()

    def attempt(rng: random.Random) -> None:
        path.write_bytes((changed_session if rng.random() < 0.7 else changed_bytes)(whole, rng))
        listed = summary(path)
        listed.source.encode()
        recording = Recording.open(path)
        list(recording.chunks())
        list(recording.frames())
        json.dumps(recording.description.as_dict(), allow_nan=False)
        SessionReplay(path).open()
        if recording.stop > recording.start:
            _ = Excerpt.of(recording, end_s=recording.start / recording.description.rate_hz + 20.0).notes

    return attempt


def npz(folder: Path) -> Try:
    none = np.zeros((len(SEVEN), 2, 3), np.float32)
    origin = Origin("m", "1", "r", "2026-01-01")
    rmse_mv = np.zeros((2, len(SEVEN)), np.float32)
    ones = none[:, 0, 0] + 1
    whole = to_bytes(Calibration(origin, none, none[0], 1.0, 1.0, ones, {}, ones, rmse_mv=rmse_mv))
    from_bytes(whole)
    buffer = io.BytesIO()
    with np.load(io.BytesIO(whole)) as arrays:
        np.savez(buffer, **arrays)  # not packed: changes reach the arrays' own headers
    flat = buffer.getvalue()

    def attempt(rng: random.Random) -> None:
        from_bytes(changed_bytes(rng.choice((whole, flat)), rng))

    return attempt


def onnx(folder: Path) -> Try:
    whole = (HERE / "esc.onnx").read_bytes()
    path = folder / "model.onnx"

    def attempt(rng: random.Random) -> None:
        path.write_bytes(changed_bytes(whole, rng))
        load_model(path)

    return attempt


def settings(folder: Path) -> Try:
    kept = json.dumps({"recent": ["wfdb:a"], "look": {"theme": "dark"}, "alarms/low_bpm": 40.0})
    ini = (HERE / "settings.ini").read_bytes() + b'\nlook="{\\"theme\\": 1}"\n[alarms]\nsound=false\n'

    def attempt(rng: random.Random) -> None:
        for path in (folder / "m.json", folder / "m.ini"):
            path.unlink(missing_ok=True)
        (folder / "m.ini").write_bytes(changed_bytes(ini, rng))
        if rng.random() < 0.7:
            text = changed_json(kept, rng)
            (folder / "m.json").write_bytes(
                changed_bytes(text.encode(), rng) if rng.random() < 0.5 else text.encode()
            )
        store = Settings(folder / "m.json")
        _ = store.recent, store.limits, store.get("look", {})

    return attempt


XML = (
    "<info><name>ecg</name><type>ECG</type><channel_count>2</channel_count><nominal_srate>250</nominal_srate>"
    "<channel_format>float32</channel_format><source_id>x</source_id><hostname>h</hostname><desc><channels>"
    "<channel><label>I</label><unit>uV</unit></channel><channel><label>II</label><unit>counts</unit>"
    "<resolution>0.4 uV</resolution></channel></channels></desc></info>"
)


def lsl(folder: Path) -> Try:
    def attempt(rng: random.Random) -> None:
        xml = changed_bytes(XML.encode(), rng).decode("utf-8", "replace")
        if rng.random() < 0.1:
            xml = XML.replace(">2<", f">{rng.choice((10**7, -1, '9' * 5000, 'nan'))}<")
        about = About.of(xml)
        choice = choose(about, rng.choice((None, "I", "II")), Placement.UNSTATED)
        assert all(note.isprintable() for note in choice.notes)
        str(about).encode()

    return attempt


def ble(folder: Path) -> Try:
    ecg = struct.pack("<BQB", 0, 599_616_000_000_000_000, 0) + bytes(30)

    def attempt(rng: random.Random) -> None:
        raw = changed_bytes(rng.choice((ecg, bytes(20), bytes.fromhex("f0010000000001820001010e00"))), rng)
        decode: Callable[[bytes], Any] = rng.choice(
            (
                polar.decode_ecg,
                polar.decode_reply,
                polar.decode_settings,
                lambda value: movesense.decode_ecg(value, rng.choice((1, 2))),
                decode_heart_rate,
                decode_battery,
            )
        )
        try:
            decode(raw)
        except BadFrameError as error:
            raise InputError(str(error)) from error

    return attempt


def formats(folder: Path) -> Try:
    made = ROOT / "tests" / "streamer" / "formats" / "files"
    whole = {path.name: path.read_bytes() for path in sorted(made.iterdir()) if path.suffix != ".json"}
    whole |= {path.name: path.read_bytes() for path in made.glob("*_*.json")}
    for name in whole:  # what reads it is imported before files are watched
        (folder / name).write_bytes(whole[name])
    for name in whole:
        with suppress(InputError):
            open_recording(folder / name)

    def attempt(rng: random.Random) -> None:
        name = rng.choice(sorted(whole))
        (folder / name).write_bytes(changed_bytes(whole[name], rng))
        try:
            FileReplay(folder / name, placement=Placement.ARMS).open()
            open_recording(folder / name, Stated(1e-3, 250.0)).read(0, 1000)
        finally:
            (folder / name).write_bytes(whole[name])

    return attempt


READERS = {each.__name__: each for each in (wfdb, session, npz, onnx, settings, lsl, ble, formats)}
"""Another reader is one function more: it makes something whole, and returns what breaks and reads it."""

FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "pickle.",
    "ctypes.dlopen",
    "os.fork",
)


def watch(folder: Path, found: list[str]) -> None:
    """From here on nothing may be opened but what lies in the folder, or belongs to Python."""
    allowed = tuple(map(str, (folder, ROOT, sys.prefix, sys.base_prefix, "/usr/share/zoneinfo")))

    def hook(name: str, args: tuple[Any, ...]) -> None:
        if name.startswith(FORBIDDEN):
            found.append(f"{name} {args!r:.200}")
        elif name == "open" and isinstance(args[0], str | bytes | Path):
            path = Path(args[0].decode("utf-8", "replace") if isinstance(args[0], bytes) else args[0])
            if path.is_absolute() and not str(path).startswith(allowed):
                found.append(f"open {path!s:.200}")

    sys.addaudithook(hook)


def main() -> None:
    folder, first, count = Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3])
    tries: dict[str, Try] = {}
    for name, reader in READERS.items():
        (folder / name).mkdir(parents=True)
        tries[name] = reader(folder / name)
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    found: list[str] = []
    watch(folder, found)
    names = list(tries)
    assert len(LEADS) == 12
    for seed in range(first, first + count):
        name = names[seed % len(names)]
        began_s = time.monotonic()
        try:
            tries[name](random.Random(seed))
        except InputError as error:
            if not error.line.isprintable():
                found.append("a message that is not printable")
        except BaseException:  # noqa: BLE001 - this is what is looked for
            found.append("".join(traceback.format_exc()[-900:].splitlines(keepends=True)[-6:]))
        took_s = time.monotonic() - began_s
        if took_s > LONGEST_S:
            found.append(f"{took_s:.1f} s")
        for each in found:
            print(f"{name} {seed}: {each}", flush=True)
        found.clear()


if __name__ == "__main__":
    main()
