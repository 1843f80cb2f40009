# SPDX-License-Identifier: MIT
"""EDF, EDF+ and BDF, read by edfio; this file looks at the header first, and puts pieces in their places.

Signals of another rate than the ECG's (an accelerometer's) are left out, and said to be.
"""

from __future__ import annotations

import io
import re
import warnings
from datetime import datetime, timedelta
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from streamer.core.errors import Field, InputError
from streamer.core.leads import canonical_lead
from streamer.core.stream import Samples
from streamer.core.units import is_not_stated, mv_per_unit
from streamer.formats.file_format import Format, Head, bounded
from streamer.formats.recording import Identity, Lead, Recording, Stated, millivolts, row_of

KIND = "an EDF recording"
_BDF = b"\xffBIOSEMI"
_LONGEST = 1 << 31
_ECG = re.compile(r"ecg|ekg", re.I)
_OURS = " mecg reconstructed "
_OUR_GAP = -32768


def recognizes(head: Head) -> bool:
    """The version, and the number of bytes of the header where it must stand."""
    return head.data[:8] in (b"0       ", _BDF) and head.data[184:192].strip().isdigit()


def read(path: Path, stated: Stated) -> Recording:
    """Read one; raises InputError or OSError."""
    with path.open("rb") as file:
        raw = bounded(file, _LONGEST)
    head, size, held = _checked(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is cut is said in a note
        signals = _signals(head, raw[: held * size + int(head[184:192])][int(head[184:192]) :])
    voltages = [(s, mv_per_unit(s.physical_dimension)) for s in signals]
    usable = [(s, mv) for s, mv in voltages if mv is not None]
    duration = _duration(head)
    if stated.unit_mv is not None:
        usable = [
            (s, stated.mv_per_step("", KIND)) for s, mv in voltages if mv is not None or _likely(s.label)
        ]
    if not usable:
        asked = (
            Field.UNIT
            if any(_likely(s.label) and is_not_stated(s.physical_dimension) for s in signals)
            else None
        )
        raise InputError(
            f"{KIND} without a signal in volts, only {_listed([s.label for s in signals])}", asked
        )
    size_of = _size_of([s for s, _ in usable], stated.lead)
    rate_hz = float(size_of / duration)
    chosen = [(s, mv) for s, mv in usable if s.samples_per_data_record == size_of]
    rows = []
    for signal, step in chosen:
        _refuse_without_range(signal)
        row = millivolts(np.asarray(signal.data, np.float64) * step)
        if _OURS in f" {head[88:168].decode('latin-1')} ":
            row[signal.digital == _OUR_GAP] = np.nan
        rows.append(row)
    mv = np.stack(rows)
    notes = []
    taken = [s for s, _ in chosen]
    left = [s.label for s in signals if not any(s is other for other in taken)]
    if left:
        notes.append(f"Left out, being of another rate or no voltage: {_listed(left)}.")
    count = int(head[236:244])
    if count > held or (count >= 0 and len(raw) > int(head[184:192]) + held * size and count != held):
        notes.append(f"The file is cut: it holds {held} of {count} data records.")
    elif count < 0 and (len(raw) - len(head)) % size:
        notes.append("The file is cut within its last data record, which is left out.")
    began, onsets = _began(head), _onsets(head, raw, held, size)
    if began is not None and onsets is not None:
        began = _later(began, float(onsets[0]))
    if b"+D" in head[192:236] and onsets is not None:
        there = mv.shape[1]
        mv = _in_place(mv, onsets, rate_hz, held)
        if mv.shape[1] > there:
            notes.append(f"{mv.shape[1] - there} samples are missing: the recording was paused.")
    leads = tuple(Lead(s.label, stated.unit(s.physical_dimension)) for s in taken)
    identity = Identity(
        {"patient": head[8:88].decode("latin-1"), "recording": head[88:168].decode("latin-1")}
    )
    return Recording(KIND, rate_hz, leads, mv, began, notes=tuple(notes), identity=identity)


def _checked(raw: bytes) -> tuple[bytes, int, int]:
    """The header, the bytes of a data record, and how many whole ones there are."""
    why = f"{KIND} whose header is damaged; fetch it again"
    try:
        length, count = int(raw[184:192]), int(raw[252:256])
        head = raw[:length]
        sizes = [int(head[256 + count * 216 + 8 * i :][:8]) for i in range(count)] if 0 < count < 5000 else []
        float(head[244:252])
        int(head[236:244])
    except ValueError:
        raise InputError(why) from None
    width = 3 if raw.startswith(_BDF) else 2
    size = width * sum(sizes)
    if length != 256 * (count + 1) or len(head) < length or size <= 0 or min(sizes) < 0:
        raise InputError(why)
    held = (len(raw) - length) // size
    stated = int(head[236:244])
    if held < 1 or stated == 0 or stated > 1000 * held + 1000:
        raise InputError(f"{KIND} that states {stated} data records and holds {held}; fetch it again")
    return head, size, min(held, stated) if stated >= 0 else held


def _signals(head: bytes, data: bytes) -> list[Any]:
    import edfio  # takes time to import

    plain = bytearray(head)
    # Dates are read here; edfio need not understand them.
    plain[168:184] = b"01.01.8500.00.00"
    file = io.BytesIO(bytes(plain) + data)
    try:
        opened: Any = (
            edfio.read_bdf(file, header_encoding="latin-1")
            if head.startswith(_BDF)
            else edfio.read_edf(file, lazy_load_data=False, header_encoding="latin-1")
        )
        return [signal for signal in opened.signals if len(signal.digital)]
    except Exception as error:
        raise InputError(f"{KIND} that edfio cannot read ({type(error).__name__}); fetch it again") from error


def _refuse_without_range(signal: Any) -> None:
    """Raise InputError if a signal has no range that its numbers can be scaled by.

    edfio would give the numbers as they lie in the file, as if they were in the unit that it states.
    """
    try:
        physical = float(signal.physical_min), float(signal.physical_max)
        digital = float(signal.digital_min), float(signal.digital_max)
    except (ValueError, OverflowError):
        physical = digital = (0.0, 0.0)
    if not all(map(isfinite, physical + digital)) or physical[0] == physical[1] or digital[0] == digital[1]:
        raise InputError(f"{KIND} whose signal {_listed([signal.label])} states no range; fetch it again")


def _duration(head: bytes) -> Fraction:
    """Seconds of a data record, exactly as the header states them; raises InputError."""
    try:
        duration = Fraction(head[244:252].decode("ascii").strip())
    except (ValueError, ZeroDivisionError):
        duration = Fraction(0)
    if not 0 < duration < 1_000_000:
        raise InputError(f"{KIND} whose data records have no length; fetch it again")
    return duration


def _size_of(signals: list[Any], lead: str | None) -> int:
    """Samples in a data record: of the lead that is asked for, of Lead I, of an ECG, or the most."""
    leads = tuple(Lead(signal.label) for signal in signals)
    asked = row_of(leads, lead) if lead else None
    found = asked if asked is not None else row_of(leads, "I")
    if found is None:
        found = next((i for i, signal in enumerate(signals) if _likely(signal.label)), None)
    if found is not None:
        return int(signals[found].samples_per_data_record)
    return int(max(signal.samples_per_data_record for signal in signals))


def _likely(label: str) -> bool:
    return bool(_ECG.search(label)) or canonical_lead(label) is not None


def _listed(labels: list[str]) -> str:
    shown = [re.sub(r"[^\x20-\x7e]", "?", label)[:16] for label in labels[:16]]
    return ", ".join(shown) + (" ..." if len(labels) > 16 else "")


def _began(head: bytes) -> datetime | None:
    """Dates as dd.mm.yy, also with other signs between; EDF+ states the whole year beside."""
    numbers = re.findall(rb"\d+", head[168:176]), re.findall(rb"\d+", head[176:184])
    if len(numbers[0]) != 3 or len(numbers[1]) != 3:
        return None
    day, month, year = map(int, numbers[0])
    whole = re.search(rb"Startdate \d\d-[A-Za-z]{3}-(\d{4})", head[88:168])
    year = int(whole[1]) if whole else year + (1900 if year >= 85 else 2000)
    try:
        hour, minute, second = map(int, numbers[1])
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def _later(began: datetime, seconds: float) -> datetime | None:
    """When the first data record was: its onset counts from the file's start; None if that is no date."""
    try:
        return began + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _onsets(head: bytes, raw: bytes, held: int, size: int) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """When each data record began, seconds; None if the file does not say."""
    count, width = int(head[252:256]), 3 if head.startswith(_BDF) else 2
    labels = [head[256 + 16 * i :][:16].strip() for i in range(count)]
    place = next(
        (i for i, label in enumerate(labels) if label in (b"EDF Annotations", b"BDF Annotations")), None
    )
    if place is None:
        return None
    before = width * sum(int(head[256 + count * 216 + 8 * i :][:8]) for i in range(place))
    found = []
    for record in range(held):
        at = len(head) + record * size + before
        match = re.match(rb"[+-]\d{1,15}(?:\.\d{1,15})?(?=[\x14\x15])", raw[at : at + 40])
        if match is None:
            return None
        found.append(float(match[0]))
    return np.array(found)


def _in_place(
    mv: Samples, onsets: np.ndarray[Any, np.dtype[np.float64]], rate_hz: float, held: int
) -> Samples:
    size = mv.shape[1] // held
    first = np.rint((onsets - onsets[0]) * rate_hz).astype(np.int64)
    if (np.diff(first) < size).any() or first[-1] > 10 * mv.shape[1] + (1 << 20):
        raise InputError(f"{KIND} whose data records overlap, or lie too far apart; cut it at its gaps")
    out = np.full((mv.shape[0], int(first[-1]) + size), np.nan, np.float32)
    for i, start in enumerate(first.tolist()):
        out[:, start : start + size] = mv[:, i * size : (i + 1) * size]
    return out


FORMAT = Format("edf", KIND, recognizes, read)
