# SPDX-License-Identifier: MIT
"""What a DICOM ECG states of each channel is followed: how large a step is, and when its first sample was."""

from __future__ import annotations

import io
import warnings
from datetime import timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer import InputError, open_recording
from streamer.formats.recording import Recording, Stated

FILES = Path(__file__).parent / "files"
N, RATE_HZ = 200, 500.0
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def dicom(path: Path, channels: dict[int, dict[str, str]]) -> Path:
    """Two leads of 200 samples, of whose channels something else is stated."""
    dataset = pydicom.dcmread(FILES / "dicom_I_II.dcm")
    group = dataset.WaveformSequence[0]
    group.NumberOfWaveformSamples = N
    group.WaveformData = np.arange(2 * N, dtype="<i2").tobytes()
    for i, facts in channels.items():
        channel = group.ChannelDefinitionSequence[i]
        if "ChannelTimeSkew" in facts:
            del channel.ChannelSampleSkew
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what may not be written is written here
            for keyword, value in facts.items():
                setattr(channel, keyword, value)
    out = io.BytesIO()
    dataset.save_as(out)
    path.write_bytes(out.getvalue())
    return path


RIGHT = (np.arange(2 * N).reshape(N, 2).T * 2.5 + 100) * 1e-3


@pytest.mark.parametrize("keyword", ["ChannelSensitivity", "ChannelSensitivityCorrectionFactor"])
@pytest.mark.parametrize("value", ["0", "-0.0", "0e5", "nan", "inf"])
@pytest.mark.parametrize("stated", [Stated(), Stated(unit_mv=1e-3)])
def test_a_dicom_channel_whose_sensitivity_cannot_be_is_refused_and_not_read_as_one(
    keyword: str, value: str, stated: Stated, tmp_path: Path
) -> None:
    path = dicom(tmp_path / "d.dcm", {1: {keyword: value}})
    with pytest.raises(InputError, match="II states an impossible sensitivity"):
        open_recording(path, stated)


@QUICK
@given(skews=st.tuples(st.integers(-N, N), st.integers(-N, N)), in_seconds=st.booleans())
def test_dicom_channels_that_began_apart_are_put_in_line(
    skews: tuple[int, int], in_seconds: bool, tmp_path: Path
) -> None:
    keyword = "ChannelTimeSkew" if in_seconds else "ChannelSampleSkew"
    words = [f"{skew / RATE_HZ:g}" if in_seconds else f"{skew}" for skew in skews]
    path = dicom(tmp_path / "d.dcm", {i: {keyword: word} for i, word in enumerate(words)})
    apart = abs(skews[1] - skews[0])
    if apart > N:
        with pytest.raises(InputError, match="apart"):
            open_recording(path)
        return
    recording = open_recording(path)
    mv = recording.read()
    assert mv.shape == (2, N + apart)
    for row, right, skew in zip(mv, RIGHT, skews, strict=True):
        at = skew - min(skews)
        assert np.allclose(row[at : at + N], right) and np.isnan(row).sum() == apart
    assert any(f" {apart} samples" in note for note in recording.notes) == bool(apart)
    whole = open_recording(FILES / "dicom_I_II.dcm")
    assert isinstance(recording, Recording) and recording.began and whole.began
    assert recording.began - whole.began == timedelta(seconds=min(skews) / RATE_HZ)


@pytest.mark.parametrize("skew", ["0.25", "-0.4", "3.3"])
def test_a_skew_of_less_than_a_sample_is_said(skew: str, tmp_path: Path) -> None:
    recording = open_recording(dicom(tmp_path / "d.dcm", {1: {"ChannelSampleSkew": skew}}))
    assert any("less than a sample" in note for note in recording.notes)
    assert recording.samples == N + round(float(skew))


@pytest.mark.parametrize("skew", ["nan", "inf", "1e30", "-1e30", "201"])
def test_a_skew_that_cannot_be_is_refused(skew: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="apart"):
        open_recording(dicom(tmp_path / "d.dcm", {1: {"ChannelSampleSkew": skew}}))


@pytest.mark.parametrize(
    ("facts", "offset_ms", "began"),
    [
        ({"AcquisitionDateTime": "20260314091500.25"}, "", "2026-03-14T09:15:00.250000"),
        ({"AcquisitionDateTime": "20260314091500.25+0100"}, "1500", "2026-03-14T09:15:01.750000+01:00"),
        (
            {"AcquisitionDateTime": "20260314091500.25", "TimezoneOffsetFromUTC": "-0330"},
            "",
            "2026-03-14T09:15:00.250000-03:30",
        ),
        (
            {"AcquisitionDateTime": "20260314091500+0100", "TimezoneOffsetFromUTC": "-0330"},
            "",
            "2026-03-14T09:15:00+01:00",
        ),
        (
            {"AcquisitionDateTime": "", "AcquisitionDate": "20260314", "AcquisitionTime": "091500.5"},
            "500",
            "2026-03-14T09:15:01",
        ),
        ({"AcquisitionDateTime": "20260314091500"}, "1e300", "2026-03-14T09:15:00"),
    ],
)
def test_a_dicom_ecg_begins_when_it_says(
    facts: dict[str, str], offset_ms: str, began: str, tmp_path: Path
) -> None:
    dataset = pydicom.dcmread(FILES / "dicom_I_II.dcm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in facts.items():
            setattr(dataset, keyword, value)
        if offset_ms:
            dataset.WaveformSequence[0].MultiplexGroupTimeOffset = offset_ms
    dataset.save_as(tmp_path / "d.dcm")
    recording = open_recording(tmp_path / "d.dcm")
    assert recording.began is not None and recording.began.isoformat() == began
