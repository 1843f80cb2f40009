# SPDX-License-Identifier: MIT
"""An excerpt as DICOM: 12-Lead ECG Waveform Storage (PS3.3 A.34.3, C.10.9), through pydicom.

What was measured and what was made of it are multiplex groups of their own: ORIGINAL holds the
measured lead in the input band, DERIVED the twelve leads, Lead I among them, since the model has
corrected its baseline and phase.  The standard gives such an object 16384 samples of each channel,
so a longer excerpt becomes several objects of one series.

It gives it 13 channels in all (PS3.3 A.34.3.4.4), which the leads take.  So of the 90 % band only the
median half width of each lead is written, as an annotation of its channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from streamer.core.errors import Field, InputError
from streamer.export.band import HALF_WIDTH
from streamer.export.excerpt import Excerpt, Mark, Trace, plain_ascii
from streamer.formats.wfdb_writer import GAIN_PER_MV, INVALID, clipped_note, sixteen_bits
from streamer.session.description import NOT_FOR_DIAGNOSIS

LONGEST = 16384
"""Samples of a channel in one object (PS3.3 A.34.3.4)."""

RATES_HZ = (200.0, 1000.0)
"""What a 12-lead ECG may have (PS3.3 A.34.3.4)."""

_LEAD_CODES = {
    "I": "2:1",
    "II": "2:2",
    "III": "2:61",
    "aVR": "2:62",
    "aVL": "2:63",
    "aVF": "2:64",
    **{f"V{i}": f"2:{i + 2}" for i in range(1, 7)},
}
"""ISO/IEEE 11073-10101, as CID 3001 lists them."""

_UNSPECIFIED_LEAD = "2:0"

_BAND_ELSEWHERE = (
    f"{HALF_WIDTH} of each lead: its median is annotated here; sample by sample: export WFDB, EDF+ or CSV"
)


def write_dicom(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """``NAME.dcm``, or ``NAME_001.dcm`` and so on; returns what it wrote.

    Raises
    ------
    InputError
        pydicom is not installed, or the rate is none that DICOM allows.
    """
    try:
        import pydicom
    except ImportError as error:
        raise InputError("DICOM needs pydicom: pip install 'mecg-streamer[dicom]'") from error
    if not RATES_HZ[0] <= excerpt.rate_hz <= RATES_HZ[1]:
        raise InputError(
            f"a DICOM ECG runs at {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz, this session at {excerpt.rate_hz:g}",
            Field.FORMAT,
        )
    digital, clipped = sixteen_bits(excerpt.mv)
    # The same excerpt has the same identity, another one another.
    key = hashlib.sha256(digital.tobytes())
    key.update(repr((excerpt.began, excerpt.first, excerpt.traces)).encode())
    starts = range(0, excerpt.samples, LONGEST)
    paths = []
    for number, start in enumerate(starts, 1):
        path = folder / (f"{name}.dcm" if len(starts) == 1 else f"{name}_{number:03d}.dcm")
        data = _dataset(pydicom, excerpt, digital[:, start : start + LONGEST], start, number, key.hexdigest())
        band = [_BAND_ELSEWHERE] if excerpt.banded else []
        notes = "\n".join((*excerpt.notes, *band, *clipped_note(clipped)))
        data.CommentsOnThePerformedProcedureStep = notes[:1024]  # as much as its field holds
        with path.open("xb") as file:
            pydicom.dcmwrite(file, data, enforce_file_format=True)
        paths.append(path)
    return paths


def _dataset(pydicom: Any, excerpt: Excerpt, digital: Any, start: int, number: int, key: str) -> Any:
    """One object; ``digital`` holds the samples from ``start`` on."""
    about, stream = excerpt.description, excerpt.description.stream
    began = excerpt.began + timedelta(seconds=start / excerpt.rate_hz)
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPClassUID = pydicom.uid.TwelveLeadECGWaveformStorage
    data.SOPInstanceUID = _uid(pydicom, key, f"object {number}")
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID

    data.PatientName = data.PatientID = data.PatientBirthDate = data.PatientSex = ""
    data.StudyInstanceUID = _uid(pydicom, key, "study")
    data.StudyDate = data.SeriesDate = f"{excerpt.began:%Y%m%d}"
    data.StudyTime = data.SeriesTime = f"{excerpt.began:%H%M%S.%f}"
    data.ReferringPhysicianName = data.StudyID = data.AccessionNumber = ""
    data.SeriesInstanceUID = _uid(pydicom, key, "series")
    data.SeriesNumber = 1
    data.Modality = "ECG"
    data.SeriesDescription = "12-lead ECG reconstructed from one lead, research"  # 64 letters at most
    data.Manufacturer = "mECG streamer"
    data.ManufacturerModelName = _short(about.model)
    data.SoftwareVersions = _short(about.model_version)
    data.TimezoneOffsetFromUTC = "+0000"
    data.InstanceNumber = number
    data.ContentDate = f"{began:%Y%m%d}"
    data.ContentTime = f"{began:%H%M%S.%f}"
    data.AcquisitionDateTime = f"{began:%Y%m%d%H%M%S.%f}"
    data.AcquisitionContextSequence = []

    groups = [
        (originality, rows)
        for originality, processed in (("ORIGINAL", False), ("DERIVED", True))
        if (rows := [i for i, trace in enumerate(excerpt.traces) if trace.processed is processed])
    ]
    data.WaveformSequence = [
        _group(pydicom, excerpt, originality, [excerpt.traces[i] for i in rows], digital[rows])
        for originality, rows in groups
    ]
    note = pydicom.Dataset()
    note.UnformattedTextValue = f"{NOT_FOR_DIAGNOSIS}; source {stream.source}"[:1024]
    note.ReferencedWaveformChannels = [k for i in range(len(groups)) for k in (i + 1, 0)]
    stop = start + digital.shape[1]
    data.WaveformAnnotationSequence = [
        note,
        *(
            _annotation(pydicom, mark, start, stop, len(groups))
            for mark in excerpt.marks
            if mark.start < stop and (mark.stop > start or mark.start >= start)
        ),
        *_band_annotations(pydicom, excerpt, start, stop, len(groups)),
    ]
    return data


def _group(pydicom: Any, excerpt: Excerpt, originality: str, traces: Sequence[Trace], digital: Any) -> Any:
    group = pydicom.Dataset()
    group.WaveformOriginality = originality
    group.NumberOfWaveformChannels = len(traces)
    group.NumberOfWaveformSamples = digital.shape[1]
    group.SamplingFrequency = f"{excerpt.rate_hz:.10g}"
    group.MultiplexGroupLabel = "measured" if originality == "ORIGINAL" else "reconstructed"
    group.ChannelDefinitionSequence = []
    for trace in traces:
        channel = pydicom.Dataset()
        channel.ChannelLabel = _short(trace.label, 16)
        if trace.lead is None:
            source = (_UNSPECIFIED_LEAD, "MDC", "Unspecified lead")
        else:
            source = (_LEAD_CODES[trace.lead], "MDC", f"Lead {trace.lead}")
        channel.ChannelSourceSequence = [_code(pydicom, *source)]
        channel.ChannelDerivationDescription = _short(trace.words)
        channel.ChannelSensitivity = f"{1000 / GAIN_PER_MV:g}"
        channel.ChannelSensitivityUnitsSequence = [_code(pydicom, "uV", "UCUM", "microvolt")]
        channel.ChannelSensitivityCorrectionFactor = "1"
        channel.ChannelBaseline = "0"
        channel.ChannelSampleSkew = "0"
        channel.WaveformBitsStored = 16
        if excerpt.description.band is not None:
            channel.FilterLowFrequency, channel.FilterHighFrequency = excerpt.description.band
        group.ChannelDefinitionSequence.append(channel)
    group.WaveformBitsAllocated = 16
    group.WaveformSampleInterpretation = "SS"
    # pydicom cannot tell the VR of these two by itself.
    group.add_new("WaveformPaddingValue", "OW", np.array([INVALID], "<i2").tobytes())
    group.add_new("WaveformData", "OW", np.ascontiguousarray(digital.T, "<i2").tobytes())
    return group


def _annotation(pydicom: Any, mark: Mark, start: int, stop: int, groups: int) -> Any:
    item = pydicom.Dataset()
    item.UnformattedTextValue = mark.text
    item.ReferencedWaveformChannels = [k for i in range(groups) for k in (i + 1, 0)]  # 0: all of the group
    first, last = max(mark.start, start) - start + 1, min(mark.stop, stop) - start
    if mark.stop > mark.start:
        item.TemporalRangeType = "SEGMENT"
        item.ReferencedSamplePositions = [first, last]  # of samples, from 1 on
    else:
        item.TemporalRangeType = "POINT"
        item.ReferencedSamplePositions = [first]
    return item


def _band_annotations(pydicom: Any, excerpt: Excerpt, start: int, stop: int, group: int) -> list[Any]:
    """The median half width of each lead in this object; the leads are its last group."""
    items = []
    for channel, trace in enumerate(excerpt.banded, 1):
        assert excerpt.half_width_mv is not None
        half_width_mv = excerpt.half_width_mv[channel - 1, start:stop]
        known_mv = half_width_mv[np.isfinite(half_width_mv)]
        if len(known_mv):
            item = pydicom.Dataset()
            item.UnformattedTextValue = f"{trace.label}: {HALF_WIDTH}, median {np.median(known_mv):.3f} mV"
            item.ReferencedWaveformChannels = [group, channel]
            items.append(item)
    return items


def _code(pydicom: Any, value: str, scheme: str, meaning: str) -> Any:
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _short(text: str, longest: int = 64) -> str:
    """Text for a short field, where a backslash would begin another value."""
    return plain_ascii(text, longest).replace("\\", "/")


def _uid(pydicom: Any, key: str, what: str) -> Any:
    return pydicom.uid.generate_uid(entropy_srcs=[key, what])
