# SPDX-License-Identifier: MIT
"""ECG waveforms in DICOM, read by pydicom (an extra).

mV = (raw * sensitivity * correction + baseline) * unit.
"""

from __future__ import annotations

import re
import warnings
import zlib
from datetime import datetime, timedelta
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from streamer.core.errors import InputError
from streamer.core.leads import LEADS, canonical_lead
from streamer.core.printable import printable
from streamer.core.units import mv_per_unit
from streamer.formats.file_format import Format, Head
from streamer.formats.recording import Identity, Lead, Recording, Stated, choose, millivolts

KIND = "a DICOM ECG"
_MDC = {f"2:{i}": lead for i, lead in enumerate(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"), 1)}
_MDC |= {"2:3": "V1", "2:61": "III", "2:62": "aVR", "2:63": "aVL", "2:64": "aVF"}
_LONGEST = 1 << 28
_UNPACKED, _TIMES = 1 << 24, 20
"""Bytes that a packed file may unpack to, and how many for each that it has: samples do not pack better."""
_MOST_SKEW = 1e9
_IDENTITY = {
    "PatientName": "name",
    "PatientID": "id",
    "PatientBirthDate": "born",
    "InstitutionName": "institution",
    "DeviceSerialNumber": "device",
}


def recognizes(head: Head) -> bool:
    """The prefix behind 128 bytes."""
    return head.data[128:132] == b"DICM"


def read(path: Path, stated: Stated) -> Recording:
    """Read one; raises InputError or OSError."""
    try:
        import pydicom
    except ImportError:
        raise InputError(
            f"{KIND}: to read it, install the extra: pip install 'mecg-streamer[dicom]'"
        ) from None
    if path.stat().st_size > _LONGEST:
        raise InputError(f"{KIND} of over {_LONGEST >> 20} MB; name another file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # From memory: of a file, as much would be taken as an element says that it is long.
            dataset = pydicom.dcmread(_Measured(path.read_bytes()))
            groups = list(getattr(dataset, "WaveformSequence", None) or ())
            if not groups:
                raise InputError("a DICOM file without a waveform; name another file")
            return _recording(dataset, groups, stated)
    except (InputError, OSError):
        raise
    except Exception as error:
        raise InputError(f"{KIND} that is damaged ({type(error).__name__}); fetch it again") from error


class _Measured(BytesIO):
    """A file in memory.  pydicom takes all that is left of it only to unpack it, and knows no bound."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if size is None or size < 0:
            _refuse_too_much(data)
        return data


def _refuse_too_much(packed: bytes) -> None:
    most = min(_LONGEST, _UNPACKED + _TIMES * len(packed))
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    held, rest = 0, packed
    while rest and held <= most:
        held += len(unpacking.decompress(rest, 1 << 20))
        rest = unpacking.unconsumed_tail
    if held > most:
        raise InputError(f"{KIND} that unpacks to far more than it can hold; name another file")


def _recording(dataset: Any, groups: list[Any], stated: Stated) -> Recording:
    notes: list[str] = []
    if len(groups) > 1 and stated.reading is None:
        original = [g for g in groups if str(g.get("WaveformOriginality", "")) == "ORIGINAL"]
        if len(original) == 1:
            notes.append(f"Of its {len(groups)} groups of waveforms the original one is read.")
            groups = original
    group = groups[
        choose(len(groups), [str(g.get("MultiplexGroupLabel", "")) for g in groups], stated.reading, KIND)
    ]
    count, n = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    kind = {"SB": "i1", "UB": "u1", "SS": "<i2", "US": "<u2", "SL": "<i4", "UL": "<u4"}.get(
        str(group.WaveformSampleInterpretation)
    )
    if kind is None or not 0 < count <= 256 or n <= 0:
        raise InputError(f"{KIND} of samples that are not read here; convert it")
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
        kind = kind.replace("<", ">")
    raw = np.frombuffer(group.WaveformData, kind, count * n).reshape(n, count).T
    padding = group.get("WaveformPaddingValue")
    if isinstance(padding, bytes) and padding:
        padding = int(np.frombuffer(padding, kind, 1)[0])
    rate_hz = stated.rate(float(group.SamplingFrequency), KIND)
    began = _began(dataset, group)
    first, later = _skews(list(group.ChannelDefinitionSequence[:count]), rate_hz, n, notes)
    if began is not None:
        began += timedelta(seconds=first / rate_hz)
    mv = np.full((count, n + max(later)), np.nan, np.float32)
    leads = []
    for i, channel in enumerate(group.ChannelDefinitionSequence[:count]):
        sensitivity = channel.get("ChannelSensitivity")
        codes = channel.get("ChannelSensitivityUnitsSequence")
        unit = str(codes[0].get("CodeValue", "")) if codes else ""
        known = stated.unit_mv is None and mv_per_unit(unit) is None
        label = _label(channel, i)
        leads.append(Lead(label, stated.unit(unit), is_voltage=not known or sensitivity is None))
        if known and sensitivity is not None:
            continue
        step_mv = stated.mv_per_step(unit, KIND)
        scale = _factor(sensitivity, label) * _factor(
            channel.get("ChannelSensitivityCorrectionFactor"), label
        )
        values = raw[i].astype(np.float64) * scale + float(channel.get("ChannelBaseline") or 0)
        row = mv[i, later[i] : later[i] + n]
        row[:] = millivolts(values * step_mv)
        if isinstance(padding, int):
            row[raw[i] == padding] = np.nan
    if len(leads) < count:
        raise InputError(f"{KIND} that does not define all its channels; fetch it again")
    return Recording(
        kind=KIND,
        rate_hz=rate_hz,
        leads=tuple(leads),
        mv=mv,
        began=began,
        notes=tuple(notes),
        identity=Identity(
            {words: str(dataset.get(keyword, "") or "") for keyword, words in _IDENTITY.items()}
        ),
    )


def _factor(value: Any, label: str) -> float:
    """A sensitivity, or what corrects it: 1 if it is not stated; raises InputError."""
    if value is None or value == "":
        return 1.0
    factor = float(value)
    if not isfinite(factor) or factor == 0:
        raise InputError(
            f"{KIND} whose channel {printable(label, 40)} states an impossible sensitivity ({factor:g}); "
            "fetch it again"
        )
    return factor


def _skews(channels: list[Any], rate_hz: float, n: int, notes: list[str]) -> tuple[float, list[int]]:
    """Samples from the start of the group to its first channel, and from there to each; raises InputError."""
    skews = []
    for channel in channels:
        skew = float(channel.get("ChannelSampleSkew") or 0)
        skews.append(skew or float(channel.get("ChannelTimeSkew") or 0) * rate_hz)
    first = min(skews, default=0.0)
    if not all(abs(skew) <= _MOST_SKEW and skew - first <= n for skew in skews):
        raise InputError(f"{KIND} whose channels begin further apart than they are long; fetch it again")
    later = [round(skew - first) for skew in skews]
    if any(later):
        notes.append(f"Its channels began up to {max(later)} samples apart: they are put in line.")
    if any(abs(skew - first - whole) > 1e-3 for skew, whole in zip(skews, later, strict=True)):
        notes.append("Its channels began less than a sample apart from there, which is left as it is.")
    return first, later or [0]


def _label(channel: Any, i: int) -> str:
    source = channel.get("ChannelSourceSequence")
    code = str(source[0].get("CodeValue", "")) if source else ""
    meaning = str(source[0].get("CodeMeaning", "")) if source else ""
    named = canonical_lead(meaning) or _MDC.get(code.removeprefix("MDC_ECG_LEAD_")) or canonical_lead(code)
    return named or meaning or str(channel.get("ChannelLabel", "")) or f"channel {i + 1}"


def _began(dataset: Any, group: Any) -> datetime | None:
    """When the group's first sample was: what is stated of the file, and how much later the group began."""

    def text(keyword: str) -> str:
        return str(dataset.get(keyword, "") or "").strip()

    stated = text("AcquisitionDateTime") or text("AcquisitionDate") + text("AcquisitionTime")
    match = re.fullmatch(r"(\d{14})(?:\.(\d{1,6}))?([+-]\d{4})?", stated)
    if match is None:
        return None
    zone = match[3] or text("TimezoneOffsetFromUTC")
    try:
        whole = f"{match[1]}{(match[2] or '0').ljust(6, '0')}{zone}"
        began = datetime.strptime(whole, "%Y%m%d%H%M%S%f%z" if zone else "%Y%m%d%H%M%S%f")
    except ValueError:
        return None
    try:
        return began + timedelta(milliseconds=float(group.get("MultiplexGroupTimeOffset") or 0))
    except (ValueError, OverflowError):
        return began


assert set(_MDC.values()) <= set(LEADS)
FORMAT = Format("dicom", KIND, recognizes, read)
