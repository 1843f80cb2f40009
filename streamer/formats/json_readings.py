# SPDX-License-Identifier: MIT
"""Readings in JSON: Fitbit, Google Health, HealthKit, Health Auto Export, Withings, Movesense.

A vendor is known by the names of its fields, wherever they lie.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.stream import Placement, Samples
from streamer.formats.file_format import Format, Head, bounded, decode
from streamer.formats.recording import Lead, Recording, Stated, choose, millivolts
from streamer.formats.sample_times import grid_of, place
from streamer.formats.withings_csv import of_samples

_LONGEST = 1 << 26
_DEEPEST = 12
_MOST = 1000


@dataclass(frozen=True, slots=True)
class _Reading:
    """An object that holds samples, and what the objects around it say."""

    body: dict[str, Any]
    around: dict[str, Any]

    def samples(self, name: str) -> list[Any]:
        """A field's list; empty if it has none, for a field of that name may hold anything."""
        found = self.body.get(name)
        return found if isinstance(found, list) else []

    def get(self, *names: str) -> Any:
        """The first of some fields, here or around; None if there is none."""
        for name in names:
            for facts in (self.body, self.around):
                if facts.get(name) is not None:
                    return facts[name]
        return None

    def rate_hz(self) -> float | None:
        """The stated rate."""
        found = _float(self.get(*_RATES))
        return found if found and found > 0 else None

    def date(self) -> str:
        """When it began, as stated."""
        interval = self.body.get("interval")
        within = interval.get("startTime") if isinstance(interval, dict) else None
        return str(within or self.get("startTime", "startDate", "start", "date", "timestamp") or "")


_RATES = (
    "samplingFrequency",
    "samplingFrequencyHz",
    "samplingFrequencyHertz",
    "sampling_frequency",
    "frequency",
)
_BEGIN = re.compile(r"[\ufeff\s]*(?:\{\s*[\"}]|\[\s*(?:[\[{\]\"\d-]|null|NaN|true|false)|[\[{]\s*$)")
_FIELDS = ("waveformSamples", "voltageMeasurements", "Samples", "signal")


def recognizes(head: Head) -> bool:
    """JSON, of any kind."""
    return _BEGIN.match(head.text) is not None


def read(path: Path, stated: Stated) -> Recording:
    """Read the reading that is asked for; raises InputError or OSError."""
    with path.open("rb") as file:
        raw = bounded(file, _LONGEST)
    # A list in memory takes many times its brackets: no ECG has one to every few letters.
    if raw.count(b"[") + raw.count(b"{") > 64 + len(raw) // 10:
        raise InputError("a JSON file of brackets, not of samples; name another file")
    text = decode(raw)
    del raw  # what is read takes many times its letters
    document = _parsed(text)
    del text
    if isinstance(document, list) and document and isinstance(document[0], int | float):
        return _bare(document, stated)
    readings = list(_readings(document, {}, 0))
    if not readings:
        raise InputError("a JSON file without an ECG of a kind that is known here; name another file")
    if readings[0].samples("Samples"):
        return _movesense(readings, stated)
    which = choose(len(readings), [reading.date() for reading in readings], stated.reading, "the file")
    reading = readings[which]
    if reading.samples("waveformSamples"):
        return _fitbit(reading, stated)
    if reading.samples("voltageMeasurements"):
        return _health_kit(reading, stated)
    if not reading.samples("signal"):
        return _movesense([reading], stated)
    values = _floats(reading.body.pop("signal"))
    position = reading.get("wearposition")
    return of_samples(
        values, reading.rate_hz(), "" if position is None else str(position), reading.date(), stated
    )


def _parsed(text: str) -> Any:
    """A document, or one to each line; raises InputError."""
    for parse in (
        json.loads,
        lambda lines: [json.loads(line) for line in lines.splitlines() if line.strip()],
    ):
        try:
            return parse(text)
        except (ValueError, RecursionError):
            continue
    raise InputError("a JSON file that is cut or damaged; export it again")


def _bare(values: list[Any], stated: Stated) -> Recording:
    """A list of numbers, of which the user says the rest."""
    kind = "a list of bare numbers"
    rate_hz, step_mv = stated.rate(None, kind), stated.mv_per_step("", kind)
    lead = Lead("signal 1", stated.unit(""))
    return Recording(kind, rate_hz, (lead,), millivolts(_floats(values) * step_mv)[None])


def _readings(node: Any, around: dict[str, Any], depth: int) -> Iterator[_Reading]:
    if depth > _DEEPEST:
        return
    if isinstance(node, list):
        if node and isinstance(node[0], dict | list):
            for item in node:
                if isinstance(item, dict | list):
                    yield from _readings(item, around, depth + 1)
    elif isinstance(node, dict):
        if any(isinstance(node.get(name), list) and node[name] for name in _FIELDS):
            yield _Reading(node, around)
            return
        facts = around | {name: value for name, value in node.items() if not isinstance(value, dict | list)}
        for value in node.values():
            if isinstance(value, dict | list):
                yield from _readings(value, facts, depth + 1)


def _fitbit(reading: _Reading, stated: Stated) -> Recording:
    google = reading.get("scalingFactor") is None
    kind = "an ECG of Google Health" if google else "a Fitbit ECG"
    factor = _float(reading.get("scalingFactor", "millivoltsScalingFactor"))
    values = _floats(reading.body.pop("waveformSamples"))
    if stated.unit_mv is not None or not factor:
        step_mv, unit = stated.mv_per_step("", kind), stated.unit("")
    else:
        step_mv, unit = 1 / factor, f"1/{factor:g} mV"
    number = _float(reading.get("leadNumber")) or 1
    lead = Lead("I" if number == 1 else f"ECG {number:g}", unit)
    values *= step_mv
    mv = millivolts(values)[None]
    return Recording(kind, stated.rate(reading.rate_hz(), kind), (lead,), mv, _instant(reading.date()))


def _health_kit(reading: _Reading, stated: Stated) -> Recording:
    measured = reading.body["voltageMeasurements"]
    kind, unit = "a HealthKit ECG", "V"
    if isinstance(measured[0], dict):
        first: dict[str, Any] = measured[0]
        kind = "an ECG of Health Auto Export" if "date" in first else kind
        name = next(
            (n for n in ("voltage", "microVolts", "microvolts", "value", "volts") if n in first), "voltage"
        )
        unit = str(
            first.get("units")
            or first.get("unit")
            or ("" if name in ("voltage", "value") else name.strip("s"))
        )
        values = _floats([item.get(name) if isinstance(item, dict) else None for item in measured])
        times_of = ("timeSinceSampleStart", "time", "t", "date")
        at = next((n for n in times_of if n in first), "")
        stamps = _stamps_s([item.get(at) if isinstance(item, dict) else None for item in measured])
    elif isinstance(measured[0], list) and len(measured[0]) == 2:
        pairs = [item if isinstance(item, list) and len(item) == 2 else (None, None) for item in measured]
        values, stamps = _floats([p[1] for p in pairs]), _stamps_s([p[0] for p in pairs])
    else:
        values, stamps, unit = _floats(measured), np.array([]), ""
    step_mv = stated.mv_per_step(unit, kind)
    rate_hz, mv, notes = _by_times(values * step_mv, stamps, reading.rate_hz(), stated, kind)
    lead = Lead("I", stated.unit(unit))
    return Recording(kind, rate_hz, (lead,), mv, _instant(reading.date()), notes=tuple(notes))


def _by_times(
    mv: NDArray[np.float64], stamps_s: NDArray[np.float64], rate_hz: float | None, stated: Stated, kind: str
) -> tuple[float, Samples, list[str]]:
    """The rate, the samples at the places that their times give, and what is to be said of it."""
    timed = np.isfinite(stamps_s)
    if len(np.unique(stamps_s[timed])) < 3:  # such as one date for all: they place nothing
        return stated.rate(rate_hz, kind), millivolts(mv)[None], []
    notes = []
    stamps_s, mv = stamps_s[timed], mv[timed]
    found, index = grid_of(stamps_s - stamps_s[0], kind)
    samples = place(mv[None], index)
    rate_hz = stated.rate((stated.rate_hz or found) if rate_hz is None else rate_hz, kind)
    if abs(found / rate_hz - 1) > 0.02:
        notes.append(f"The rate is as it is stated; the times of the file would make it {found:.4g} Hz.")
    if (without := len(timed) - len(mv)) > 0:
        notes.append(f"{without} values without a time are left out.")
    if (lost := samples.shape[1] - len(mv)) > 0:
        notes.append(f"{lost} samples are missing by the times of the file.")
    return rate_hz, samples, notes


def _stamps_s(values: list[Any]) -> NDArray[np.float64]:
    """Times as numbers, or as a date and a clock; NaN if there is none."""
    return _floats([_seconds(value) if isinstance(value, str) else value for value in values])


def _seconds(text: str) -> float | None:
    number = _float(text)
    instant = _instant(text) if number is None else None
    return number if instant is None else (instant.replace(tzinfo=instant.tzinfo or UTC)).timestamp()


def _movesense(readings: list[_Reading], stated: Stated) -> Recording:
    kind = "a Movesense recording"
    step_mv = stated.mv_per_step(
        "", f"{kind} (0.000381469726563 mV to a step if it is of the classic sensor)"
    )
    others = len(readings)
    readings = [reading for reading in readings if reading.samples("Samples")]
    others -= len(readings)
    packets = [_floats(reading.samples("Samples")) for reading in readings]
    values = np.concatenate(packets)
    stamps = [_float(reading.get("Timestamp", "timestamp")) for reading in readings]
    notes = ["The recording is of a strap on the chest, which is not Lead I."]
    if len(packets) > 2 and all(stamp is not None for stamp in stamps):
        repeated = np.repeat(np.array(stamps, np.float64) * 1e-3, [len(packet) for packet in packets])
        rate_hz, index = grid_of(repeated - repeated[0], kind)
        rate_hz = stated.rate_hz or rate_hz
    else:
        rate_hz, index = stated.rate(readings[0].rate_hz(), kind), np.arange(len(values))
    mv = place((values * step_mv)[None], index)
    if (lost := mv.shape[1] - len(values)) > 0:
        notes.append(f"{lost} samples are missing by the sensor's stamps.")
    if others:
        notes.append(f"{others} readings of another kind are left out.")
    lead = Lead("ECG", stated.unit(""))
    return Recording(kind, rate_hz, (lead,), mv, placement=Placement.CHEST, notes=tuple(notes))


def _floats(values: Any) -> NDArray[np.float64]:
    known = (np.nan if (number := _float(value)) is None else number for value in values)
    out = np.fromiter(known, np.float64, len(values))
    out[~np.isfinite(out)] = np.nan
    return out


def _float(value: Any) -> float | None:
    try:
        if value is None or isinstance(value, dict | list) or (isinstance(value, str) and "_" in value):
            return None
        return float(value)
    except (ValueError, OverflowError):
        return None


def _instant(text: str) -> datetime | None:
    try:
        if text.isdecimal() and len(text) in (10, 13):
            return datetime.fromtimestamp(int(text[:10]), UTC)
        return datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
    except (ValueError, OverflowError):
        return None


FORMAT = Format("json", "readings in JSON", recognizes, read)
