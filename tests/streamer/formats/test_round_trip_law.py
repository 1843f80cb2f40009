# SPDX-License-Identifier: MIT
"""Whatever is exported in a format that is read here comes back: samples, gaps, rate, leads, start."""

from __future__ import annotations

import dataclasses
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamer.core.errors import InputError
from streamer.core.leads import canonical_lead
from streamer.export.excerpt import Excerpt, _rows, _traces
from streamer.export.to_csv import write_csv
from streamer.export.to_dicom import write_dicom
from streamer.export.to_edf import write_edf
from streamer.export.to_wfdb import write_wfdb
from streamer.lead_recording import open_recording
from tests.streamer.made_session import description

LABELS = st.sampled_from(["I", "V5", "ECG", "MLII", "Brustgurt µ", "channel 1"])


@st.composite
def excerpts(draw: st.DrawFn) -> Excerpt:
    label = draw(LABELS)
    about = description()
    stream = dataclasses.replace(about.stream, lead=label, is_lead_i=label == "I")
    rate_hz = draw(st.sampled_from([200.0, 250.0, 256.0, 360.0, 500.0, 1000.0]))
    about = dataclasses.replace(about, stream=stream, rate_hz=rate_hz)
    traces = _traces(about)
    names = draw(st.lists(st.sampled_from(["I", "II", "aVR", "V1", "V6", "measured"]), unique=True))
    rows = _rows(names, traces)
    n = draw(st.integers(4, 1500))
    mv = np.random.default_rng(draw(st.integers(0, 99))).normal(0, 1, (len(rows), n)).astype(np.float32)
    for first, length in draw(st.lists(st.tuples(st.integers(0, n), st.integers(1, 300)), max_size=3)):
        mv[:, first : first + length] = np.nan
    assume(np.isfinite(mv).any())
    began = datetime(2026, 3, 14, 23, 59, 59, tzinfo=UTC) + timedelta(
        milliseconds=draw(st.integers(0, 10**9))
    )
    first = draw(st.integers(0, 10**6))
    return Excerpt(about, tuple(traces[row] for row in rows), mv, first, began, ())


def comes_back(excerpt: Excerpt, path: str | Path, half_step_mv: float, shift_s: float) -> None:
    recording = open_recording(path)
    mv = recording.read()
    assert recording.rate_hz == excerpt.rate_hz
    assert mv.shape == excerpt.mv.shape
    assert np.array_equal(np.isnan(mv), np.isnan(excerpt.mv))
    assert np.nanmax(np.abs(mv - excerpt.mv)) <= half_step_mv + 1e-6  # of float32
    assert [lead.name for lead in recording.leads if lead.name] == [
        trace.lead for trace in excerpt.traces if trace.lead and canonical_lead(trace.label)
    ]
    assert recording.began is not None
    assert abs(recording.began.replace(tzinfo=UTC) - excerpt.began) <= timedelta(seconds=shift_s)


WRITERS = {
    "csv": (write_csv, ".csv", 0.5e-4),
    "edf": (write_edf, ".edf", 0.5e-3),
    "wfdb": (write_wfdb, ".hea", 0.5e-3),
}


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=25, deadline=None)
@given(excerpt=excerpts())
def test_an_export_comes_back(name: str, excerpt: Excerpt) -> None:
    write, end, half_step_mv = WRITERS[name]
    with tempfile.TemporaryDirectory() as folder:
        try:
            write(excerpt, Path(folder), "mecg-1")
        except InputError:
            assume(False)  # a length that EDF cannot state at this rate
        comes_back(excerpt, Path(folder) / f"mecg-1{end}", half_step_mv, 1e-3)


@settings(max_examples=25, deadline=None)
@given(excerpt=excerpts())
def test_each_group_of_a_dicom_export_comes_back(excerpt: Excerpt) -> None:
    processed = [trace.processed for trace in excerpt.traces]
    groups = [[i for i, made in enumerate(processed) if made is wanted] for wanted in (False, True)]
    with tempfile.TemporaryDirectory() as folder:
        (path,) = write_dicom(excerpt, Path(folder), "mecg-1")
        for number, rows in enumerate((rows for rows in groups if rows), 1):
            traces = tuple(excerpt.traces[i] for i in rows)
            part = dataclasses.replace(excerpt, mv=excerpt.mv[rows], traces=traces)
            assert open_recording(f"{path}?reading={number}").read().shape == part.mv.shape
            mv = open_recording(f"{path}?reading={number}").read()
            assert np.array_equal(np.isnan(mv), np.isnan(part.mv))
            assert np.nanmax(np.abs(mv - part.mv)) <= 0.5e-3 + 1e-6
            began = open_recording(f"{path}?reading={number}").began
            assert began is not None and abs(began.replace(tzinfo=UTC) - excerpt.began) < timedelta(
                seconds=1e-3
            )
