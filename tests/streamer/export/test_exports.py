# SPDX-License-Identifier: GPL-3.0-or-later
"""What other people's readers get out of our files."""

from __future__ import annotations

import csv
import json
import math
import re
import warnings
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pydicom
import pyedflib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pandas' deprecations are not ours
    import wfdb

from streamer.core.errors import Field, InputError
from streamer.core.events import Drift, Event, Quality, QualityChanged
from streamer.core.leads import LEADS, ORIGIN
from streamer.core.network.network import Network
from streamer.export.excerpt import Excerpt, Mark, MarkType
from streamer.export.to_csv import write_csv
from streamer.export.to_dicom import LONGEST, write_dicom
from streamer.export.to_edf import write_edf
from streamer.export.to_pdf import pages_of, write_pages
from streamer.export.to_wfdb import write_wfdb
from streamer.export.wfdb_annotations import annotation_bytes
from streamer.formats.edf import samples_per_record
from streamer.formats.wfdb_reader import Record
from streamer.recording.reader import Recording
from tests.streamer import made_session
from tests.streamer.a_session import a_session
from tests.streamer.known_network import FACTORS

HALF_STEP_MV = 0.5e-3 * 1.0001
GAP = (3000, 3777)
SAMPLES = 8200
DERIVED_GROUP = 1


@pytest.fixture(scope="module")
def session_file(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_session(tmp_path_factory.mktemp("session"), network, SAMPLES, lost=(GAP,))


@pytest.fixture(scope="module")
def excerpt(session_file: Path) -> Excerpt:
    with Recording.open(session_file) as recording:
        return Excerpt.of(recording)


@pytest.fixture(scope="module")
def chest(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    """The input is not Lead I, and as badly named as can be."""
    folder = tmp_path_factory.mktemp("chest")
    path = a_session(folder, network, 1500, lead="Brustgurt µ\\ÿ, *", is_lead_i=False)
    with Recording.open(path) as recording:
        return Excerpt.of(recording)


@pytest.fixture(scope="module")
def banded(banded_network: Network, tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    """The same session as `excerpt`, from a model that states its uncertainty."""
    path = a_session(tmp_path_factory.mktemp("banded"), banded_network, SAMPLES, lost=(GAP,))
    with Recording.open(path) as recording:
        return Excerpt.of(recording)


def agree(read_mv: NDArray[Any], excerpt: Excerpt) -> None:
    """Same length, gaps as gaps, and all else within half a quantum."""
    assert read_mv.shape == excerpt.mv.shape
    assert np.array_equal(np.isnan(read_mv), np.isnan(excerpt.mv))
    assert np.isnan(read_mv).any() == any(mark.kind == "gap" for mark in excerpt.marks)
    assert np.nanmax(np.abs(read_mv - excerpt.mv)) <= HALF_STEP_MV


def half_widths_agree(read_mv: NDArray[Any], excerpt: Excerpt, half_step_mv: float = HALF_STEP_MV) -> None:
    """The twelve, within half a quantum of what the frames stated, and absent where the leads are."""
    assert excerpt.half_width_mv is not None
    assert read_mv.shape == (12, excerpt.samples)
    assert np.array_equal(np.isnan(read_mv), np.isnan(excerpt.mv[:12]))
    assert np.isnan(read_mv).any() and np.nanmin(read_mv) > 0
    assert np.nanmax(np.abs(read_mv - excerpt.half_width_mv)) <= half_step_mv


# ---- the excerpt


def test_an_excerpt_is_the_session_with_its_gaps_and_marks(excerpt: Excerpt, session_file: Path) -> None:
    assert excerpt.mv.shape == (13, SAMPLES // 2)
    with Recording.open(session_file) as recording:
        frame = recording.twelve(0, SAMPLES // 2)
        since_s = frame.device_s - recording.began_host_s
        assert abs(excerpt.began - recording.began - timedelta(seconds=since_s)) < timedelta(microseconds=2)
    assert np.array_equal(excerpt.mv[:12], frame.leads_mv, equal_nan=True)
    assert np.array_equal(excerpt.mv[12], frame.measured_mv, equal_nan=True)
    assert {trace.label: trace.origin for trace in excerpt.traces[:12]} == ORIGIN
    assert (excerpt.traces[12].label, excerpt.traces[12].origin) == ("I, as measured", "measured")
    gaps = [(mark.start, mark.stop) for mark in excerpt.marks if mark.kind == "gap"]
    assert gaps == [(1500, 1889)]
    at = {mark.kind: mark.start for mark in excerpt.marks if mark.start == mark.stop}
    assert at["marker"] == 250
    assert at["beat"] == 500
    assert at["state"] == 0
    assert [mark.start for mark in excerpt.marks] == sorted(mark.start for mark in excerpt.marks)


def test_an_excerpt_has_the_half_widths_that_the_frames_stated(
    banded_network: Network, tmp_path: Path, excerpt: Excerpt
) -> None:
    with Recording.open(a_session(tmp_path, banded_network, 3000, lost=((1000, 1200),))) as recording:
        frames = list(recording.frames())
        whole, part = Excerpt.of(recording), Excerpt.of(recording, ["V3", "II", "measured"], 1.0, 3.5)
    assert whole.half_width_mv is not None and part.half_width_mv is not None
    for frame in frames:
        stated_mv = frame.scale_mv * np.float32(FACTORS)[:, None]
        told_mv = whole.half_width_mv[:, frame.start : frame.stop]
        assert np.array_equal(told_mv[:, frame.valid], stated_mv[:, frame.valid])
        assert np.isnan(told_mv[:, ~frame.valid]).all()
    assert [trace.label for trace in part.banded] == ["II", "V3"]
    assert np.array_equal(part.half_width_mv, whole.half_width_mv[[1, 8], 250:875], equal_nan=True)
    assert excerpt.half_width_mv is None and not excerpt.banded
    assert "no 90 % band: the model stated no uncertainty" in excerpt.notes
    assert "no 90 % band: the model stated no uncertainty" not in whole.notes


def test_a_session_without_its_scale_has_no_band(tmp_path: Path) -> None:
    """Of the measured lead alone, and where the file holds no scale although the model stated bands."""
    about = made_session.description(bands={"0.9": (2.0,) * 12})
    path, _ = made_session.record(tmp_path, made_session.items(3.0, scale=False), about)
    with Recording.open(path) as recording:
        assert Excerpt.of(recording).half_width_mv is None
    path, _ = made_session.record(tmp_path, made_session.items(3.0), about)
    with Recording.open(path) as recording:
        assert Excerpt.of(recording, ["measured"]).half_width_mv is None
        assert Excerpt.of(recording).half_width_mv is not None


def test_start_and_end_are_seconds_of_the_session(session_file: Path, excerpt: Excerpt) -> None:
    with Recording.open(session_file) as recording:
        part = Excerpt.of(recording, (), 1.0, 7.0)
        assert np.array_equal(part.mv, excerpt.mv[:, 250:1750], equal_nan=True)
        assert (part.first, part.began - excerpt.began) == (250, timedelta(seconds=1))
        assert [(m.start, m.stop) for m in part.marks if m.kind == "gap"] == [(1250, 1500)]
        assert [m.start for m in part.marks if m.kind == "marker"] == [0]
        assert Excerpt.of(recording, (), 16.39, math.inf).samples == 2
        with pytest.raises(InputError, match=r"holds nothing there: its leads run from 0\.00 to 16\.40 s"):
            Excerpt.of(recording, (), 16.4, math.inf)


def test_what_is_too_long_for_memory_is_refused(session_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.export.excerpt.LONGEST", 1000)
    with Recording.open(session_file) as recording:
        with pytest.raises(InputError, match="too long for one file") as caught:
            Excerpt.of(recording)
        assert caught.value.field is Field.SPAN
        assert Excerpt.of(recording, (), 2, 6).samples == 1000


def test_a_file_that_says_strange_things_of_itself_is_exported_all_the_same(
    excerpt: Excerpt, tmp_path: Path
) -> None:
    about = replace(
        excerpt.description,
        filters="-- Hz",
        model="m\x14\x00\n\\" * 50,
        model_version="\x1b[2J",
        stream=replace(excerpt.description.stream, source="s\x14\x15\n# measured: all" * 30, lead="\r\n\x14"),
    )
    strange = replace(excerpt, description=about)
    (header,) = [path for path in write_wfdb(strange, tmp_path, "r") if path.suffix == ".hea"]
    assert "measured: all" not in read_wfdb(header).comments
    edf = edfio.read_edf(write_edf(strange, tmp_path, "r")[0])
    assert len(edf.annotations) == len(strange.notes) + len(strange.marks)
    data = pydicom.dcmread(write_dicom(strange, tmp_path, "r")[0])
    assert data.WaveformSequence[0].WaveformOriginality == "ORIGINAL"
    assert write_csv(strange, tmp_path, "r")
    assert write_pages(replace(strange, mv=strange.mv[:, :500]), tmp_path, "r")


def test_leads_are_chosen_by_any_of_their_names(session_file: Path, excerpt: Excerpt) -> None:
    with Recording.open(session_file) as recording:
        part = Excerpt.of(recording, ["v2", "Lead I", "MEASURED", "V2"])
        assert [trace.label for trace in part.traces] == ["I", "V2", "I, as measured"]
        assert np.array_equal(part.mv, excerpt.mv[[0, 7, 12]], equal_nan=True)
        with pytest.raises(InputError, match="there is no lead 'V9': use I, II, III"):
            Excerpt.of(recording, ["V9"])


def test_an_input_that_is_not_lead_i_is_named_and_not_called_so(chest: Excerpt) -> None:
    assert chest.traces[12].label == "Brustgurt u\\?, *, as measured"
    assert chest.traces[12].lead is None
    assert all("not Lead I" in trace.words for trace in chest.traces)
    assert any("input is not Lead I" in note for note in chest.notes)


def test_a_clock_that_is_off_is_told_of(network: Network, tmp_path: Path, excerpt: Excerpt) -> None:
    with Recording.open(a_session(tmp_path, network, 5000, clock=0.9993)) as recording:
        slow = Excerpt.of(recording)
    assert slow.stamped_hz == pytest.approx(249.825, abs=5e-3)
    assert any(note == "nominal 250 Hz; by the source's stamps 249.83 Hz" for note in slow.notes)
    assert not any("by the source's stamps" in note for note in excerpt.notes)


# ---- WFDB


def read_wfdb(header: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return wfdb.rdrecord(str(header.with_suffix("")))


def read_annotations(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])


def test_wfdb_reads_the_record_back_within_half_a_quantum(excerpt: Excerpt, tmp_path: Path) -> None:
    *_, header = write_wfdb(excerpt, tmp_path, "r")
    record = read_wfdb(header)
    agree(record.p_signal.T, excerpt)
    assert (record.fs, record.units) == (250, ["mV"] * 13)
    assert datetime.combine(record.base_date, record.base_time) == excerpt.began.replace(tzinfo=None)
    assert record.sig_name == [*(lead.upper() for lead in LEADS), "I, as measured"]
    ours = Record(header)
    assert np.array_equal(ours.read(0, excerpt.samples), record.p_signal.T.astype(np.float32), equal_nan=True)


def test_wfdb_has_the_band_in_a_record_of_its_own_and_the_leads_are_the_same_without_it(
    banded: Excerpt, excerpt: Excerpt, tmp_path: Path
) -> None:
    *others, header = write_wfdb(banded, tmp_path, "r")
    assert {path.name for path in others} == {"r_band.dat", "r_band.hea", "r.atr", "r.dat"}
    band = read_wfdb(tmp_path / "r_band.hea")
    half_widths_agree(band.p_signal.T, banded)
    assert (band.fs, band.units) == (250, ["mV"] * 12)
    assert band.sig_name == [f"{lead.upper()} half width" for lead in LEADS]
    assert band.comments[0].startswith("no ECG: half width of the 90 % band of each lead of r, mV")
    assert "half width of the 90 % band of each lead, mV: in r_band" in read_wfdb(header).comments
    write_wfdb(excerpt, tmp_path, "without")
    assert (tmp_path / "without.dat").read_bytes() == (tmp_path / "r.dat").read_bytes()
    assert not (tmp_path / "without_band.hea").exists()
    assert "no 90 % band: the model stated no uncertainty" in read_wfdb(tmp_path / "without.hea").comments


def test_wfdb_tells_measured_from_reconstructed_in_its_comments(
    excerpt: Excerpt, chest: Excerpt, tmp_path: Path
) -> None:
    comments = read_wfdb(write_wfdb(excerpt, tmp_path, "r")[-1]).comments
    assert comments[0].startswith("Reconstructed from one lead; research use")
    assert "measured: I; I, as measured" in comments
    assert "predicted: II; V1; V2; V3; V4; V5; V6" in comments
    assert "derived: III; aVR; aVL; aVF" in comments
    comments = read_wfdb(write_wfdb(chest, tmp_path, "chest")[-1]).comments
    assert any(comment.startswith("input is not Lead I but Brustgurt") for comment in comments)


def test_wfdb_annotations_hold_beats_markers_and_gaps(excerpt: Excerpt, tmp_path: Path) -> None:
    write_wfdb(excerpt, tmp_path, "r")
    read = read_annotations(tmp_path / "r.atr")
    found = list(zip(read.sample.tolist(), read.symbol, read.subtype.tolist(), read.aux_note, strict=True))
    assert (1, '"', 0, "state: receiving samples") in found
    assert (500, "N", 0, "") in found
    assert (250, '"', 0, 'marker: said u twice, "quoted"') in found
    assert (1500, "~", -1, "gap: signal lost, 1.556 s") in found
    assert (1889, "~", 0, "") in found


marks = st.lists(
    st.tuples(
        st.integers(1, 40_000_000),
        st.sampled_from(MarkType),
        st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=80),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(marks)
def test_any_annotations_are_read_back(tmp_path_factory: pytest.TempPathFactory, drawn: Any) -> None:
    given_marks = sorted(
        (Mark(at, at, kind, kind.value, text) for at, kind, text in drawn), key=lambda mark: mark.start
    )
    folder = tmp_path_factory.mktemp("atr")
    (folder / "r.atr").write_bytes(annotation_bytes(given_marks, 0))
    read = read_annotations(folder / "r.atr")
    symbols = {MarkType.BEAT: "N", MarkType.GAP: "~"}
    assert read.sample.tolist() == [mark.start for mark in given_marks]
    assert read.symbol == [symbols.get(mark.type, '"') for mark in given_marks]
    assert read.aux_note == ["" if mark.type is MarkType.BEAT else mark.text for mark in given_marks]
    assert read.subtype.tolist() == [-1 if mark.type is MarkType.GAP else 0 for mark in given_marks]


# ---- EDF+


def edf_mv(digital_uv: NDArray[Any]) -> NDArray[Any]:
    return np.where(digital_uv == -32768, np.nan, digital_uv / 1000)


def test_edfio_reads_the_file_back_within_half_a_quantum(excerpt: Excerpt, tmp_path: Path) -> None:
    (path,) = write_edf(excerpt, tmp_path, "r")
    edf = edfio.read_edf(path)
    agree(edf_mv(np.array([signal.data for signal in edf.signals])), excerpt)
    assert all(signal.sampling_frequency == pytest.approx(250, rel=1e-12) for signal in edf.signals)
    assert edf.is_continuous
    assert datetime.combine(edf.startdate, edf.starttime) == excerpt.began.replace(tzinfo=None)
    assert (edf.recording.equipment_code, edf.patient.name) == ("mecg", "X")


def test_pyedflib_reads_the_same(excerpt: Excerpt, tmp_path: Path) -> None:
    (path,) = write_edf(excerpt, tmp_path, "r")
    with pyedflib.EdfReader(str(path)) as edf:
        agree(edf_mv(np.array([edf.readSignal(i) for i in range(edf.signals_in_file)])), excerpt)
        assert edf.getSignalLabels() == [*(f"ECG {lead}" for lead in LEADS), "ECG measured"]
        assert edf.getPhysicalDimension(0) == "uV"
        assert edf.getPrefilter(0) == "HP:0.5Hz LP:40Hz"
        onsets, lengths, texts = edf.readAnnotations()
        began = edf.getStartdatetime()
    # pyedflib 0.1 divides the fraction by 10 once too often, so only the seconds are compared.
    assert began.replace(microsecond=0) == excerpt.began.replace(microsecond=0, tzinfo=None)
    place = texts.tolist().index("BAD gap: signal lost, 1.556 s")
    assert (onsets[place], lengths[place]) == pytest.approx((6.0, 1.556))
    place = texts.tolist().index('marker: said u twice, "quoted"')
    assert onsets[place] == pytest.approx(1.0)
    assert any(text.startswith("Reconstructed from one lead") for text in texts)


def test_edf_has_the_band_in_a_file_of_its_own_and_the_leads_are_the_same_without_it(
    banded: Excerpt, excerpt: Excerpt, tmp_path: Path
) -> None:
    band_path, path = write_edf(banded, tmp_path, "r")
    assert band_path.name == "r_band.edf"
    band, leads = edfio.read_edf(band_path), edfio.read_edf(path)
    half_widths_agree(edf_mv(np.array([signal.data for signal in band.signals])), banded)
    with pyedflib.EdfReader(str(band_path)) as edf:
        half_widths_agree(edf_mv(np.array([edf.readSignal(i) for i in range(12)])), banded)
        assert edf.getSignalLabels() == [f"{lead} half width" for lead in LEADS]
    assert band.signals[2].transducer_type == "half width of the 90 % band of III, derived"
    assert any(note.text.startswith("BAD gap: ") for note in band.annotations)
    assert any(note.text.startswith("no ECG: half width") for note in band.annotations)
    assert any(note.text.endswith("of each lead, mV: in r_band") for note in leads.annotations)
    (plain,) = write_edf(excerpt, tmp_path, "without")
    for one, other in zip(edfio.read_edf(plain).signals, leads.signals, strict=True):
        assert np.array_equal(one.data, other.data) and one.label == other.label


def test_edf_tells_measured_from_reconstructed_by_the_transducer(
    excerpt: Excerpt, chest: Excerpt, tmp_path: Path
) -> None:
    edf = edfio.read_edf(write_edf(excerpt, tmp_path, "r")[0])
    words = {signal.label.removeprefix("ECG "): signal.transducer_type for signal in edf.signals}
    for lead in LEADS:
        assert ORIGIN[lead] in words[lead]
        assert ("not for diagnosis" in words[lead]) == (ORIGIN[lead] != "measured")
    assert words["measured"] == "measured Lead I, input band"
    edf = edfio.read_edf(write_edf(chest, tmp_path, "chest")[0])
    assert all("not Lead I" in signal.transducer_type for signal in edf.signals)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4100), st.integers(0, 999_999))
def test_edf_of_any_length_and_instant_is_neither_padded_nor_refused(
    excerpt: Excerpt, tmp_path_factory: pytest.TempPathFactory, samples: int, microsecond: int
) -> None:
    began = excerpt.began.replace(microsecond=microsecond)
    marks = tuple(mark for mark in excerpt.marks if mark.stop < samples)
    part = replace(excerpt, mv=excerpt.mv[:, :samples], began=began, marks=marks)
    (path,) = write_edf(part, tmp_path_factory.mktemp("edf"), "r")
    edf = edfio.read_edf(path)
    read = np.array([signal.data for signal in edf.signals])
    assert np.array_equal(np.isnan(edf_mv(read)), np.isnan(part.mv))
    assert edf.starttime == began.time()
    assert len(edf.annotations) == len(part.notes) + len(marks)
    with pyedflib.EdfReader(str(path)) as reader:  # stricter: it holds every data record to its instant
        assert reader.getNSamples().tolist() == [samples] * 13
        assert len(reader.readAnnotations()[0]) == len(edf.annotations)


@given(st.integers(1, 10_000_000), st.sampled_from([250.0, 500.0, 125.0, 100.0]), st.integers(1, 13))
def test_data_records_fit_the_format(samples: int, rate_hz: float, signals: int) -> None:
    per_record = samples_per_record(samples, rate_hz, signals)
    assert samples % per_record == 0
    assert per_record * 2 * signals <= 61440
    assert len(f"{per_record / rate_hz:.12g}") <= 8


def test_a_rate_that_edf_cannot_state_is_refused() -> None:
    with pytest.raises(InputError, match="EDF cannot hold 7 samples at 360 Hz exactly"):
        samples_per_record(7, 360.0, 13)


# ---- CSV


def test_csv_has_units_and_origins_in_its_header(excerpt: Excerpt, tmp_path: Path) -> None:
    about, events, data = write_csv(excerpt, tmp_path, "r")
    with data.open(newline="") as file:
        head, *rows = list(csv.reader(file))
    assert head[:4] == ["time [s]", "I [mV] (measured)", "II [mV] (predicted)", "III [mV] (derived)"]
    assert head[-1] == "I as measured [mV] (measured)"
    read = np.array([[float(value) if value else math.nan for value in row] for row in rows]).T
    assert np.allclose(read[0], np.arange(excerpt.samples) / 250, atol=1e-9)
    assert np.array_equal(np.isnan(read[1:]), np.isnan(excerpt.mv))
    assert np.nanmax(np.abs(read[1:] - excerpt.mv)) <= 0.5001e-4
    with events.open(newline="") as file:
        noted = list(csv.DictReader(file))
    gap = next(row for row in noted if row["kind"] == "gap")
    assert (float(gap["time [s]"]), float(gap["duration [s]"])) == pytest.approx((6.0, 1.556))
    assert next(row for row in noted if row["kind"] == "marker")["text"].endswith('"quoted"')
    facts = json.loads(about.read_text("utf-8"))
    assert facts["began"] == excerpt.began.isoformat()
    assert facts["origins"] == ORIGIN
    assert facts["notes"] == list(excerpt.notes)


def test_csv_has_a_column_for_each_half_width_behind_all_others(
    banded: Excerpt, excerpt: Excerpt, tmp_path: Path
) -> None:
    with write_csv(banded, tmp_path, "r")[-1].open(newline="") as file:
        head, *rows = list(csv.reader(file))
    with write_csv(excerpt, tmp_path, "without")[-1].open(newline="") as file:
        assert [row[:14] for row in [head, *rows]] == list(csv.reader(file))
    assert head[14:] == [f"{lead} half width of the 90 % band [mV]" for lead in LEADS]
    half_widths_agree(
        np.array([[float(value) if value else math.nan for value in row[14:]] for row in rows]).T,
        banded,
        0.5001e-4,
    )


# ---- PDF


def test_pages_show_the_band_and_grey_what_is_not_to_be_trusted(
    banded_network: Network, tmp_path: Path
) -> None:
    def judged(at_s: float, *wrong: Quality) -> Event:
        return QualityChanged(frozenset(wrong), "as judged", at_s=at_s)

    judgements = [judged(4.0, Quality.OUT_OF_RANGE), judged(6.5, Quality.NOISY), judged(8.0)]
    judgements += [judged(9.0, Quality.NO_CONTACT, Quality.FLAT), judged(12.0)]
    path = a_session(tmp_path, banded_network, SAMPLES, events=judgements)
    with Recording.open(path) as recording:
        settling = np.concatenate([frame.settling for frame in recording.frames()])
        excerpt = Excerpt.of(recording)
    second = np.arange(excerpt.samples) / 250
    grey = settling | ((second >= 4) & (second < 6.5)) | ((second >= 9) & (second < 12))
    one, other = pages_of(excerpt)
    assert excerpt.half_width_mv is not None
    for page, part in ((one, slice(0, 2500)), (other, slice(2500, None))):
        assert page.faint is not None and page.band_mv is not None
        assert np.array_equal(page.faint, grey[part])
        assert np.array_equal(page.band_mv, excerpt.half_width_mv[:, part])


@pytest.mark.parametrize(
    ("ends_s", "told"), [(8.0, [True, False]), (12.0, [True, True]), (None, [True, True])]
)
def test_pages_say_recalibrate_while_the_calibration_did_not_fit(
    banded_network: Network, tmp_path: Path, ends_s: float | None, told: list[bool]
) -> None:
    drifts = [Drift(3.5, at_s=4.0)]
    if ends_s is not None:
        drifts.append(Drift(0.0, at_s=ends_s))
    path = a_session(tmp_path, banded_network, SAMPLES, events=drifts)
    with Recording.open(path) as recording:
        excerpt = Excerpt.of(recording)
    stretches = [mark for mark in excerpt.marks if mark.kind == "drift" and mark.stop > mark.start]
    assert [mark.start for mark in stretches] == [1000]
    assert ["recalibrate" in page.quality for page in pages_of(excerpt)] == told


@pytest.mark.parametrize("calibration", ["", "anna, 2026-11-23"])
def test_pages_say_what_a_calibration_leaves_unread(excerpt: Excerpt, calibration: str) -> None:
    about = replace(excerpt.description, calibration=calibration)
    for page in pages_of(replace(excerpt, description=about)):
        assert page.caution == about.caution
        assert bool(page.caution) == bool(calibration)


def test_pdf_has_a_page_for_each_ten_seconds(excerpt: Excerpt, tmp_path: Path) -> None:
    (path,) = write_pages(excerpt, tmp_path, "r")
    pdf = path.read_bytes()
    pages = re.findall(rb"/MediaBox \[\s*0 0 ([\d.]+) ([\d.]+)", pdf)
    assert len(pages) == 2
    for side in pages:
        assert [float(x) for x in side] == pytest.approx([297 / 25.4 * 72, 210 / 25.4 * 72], abs=0.1)
    (other,) = write_pages(excerpt, tmp_path, "s")
    assert other.read_bytes() == pdf


def test_a_page_without_all_leads_is_refused(session_file: Path, tmp_path: Path) -> None:
    with Recording.open(session_file) as recording:
        part = Excerpt.of(recording, ["I", "V1"])
    with pytest.raises(InputError, match="a page shows all twelve leads"):
        write_pages(part, tmp_path, "r")


# ---- DICOM


def test_pydicom_reads_two_groups_that_say_which_is_original(excerpt: Excerpt, tmp_path: Path) -> None:
    (path,) = write_dicom(excerpt, tmp_path, "r")
    data = pydicom.dcmread(path)
    assert data.SOPClassUID.name == "12-lead ECG Waveform Storage"
    assert data.Modality == "ECG"
    assert data.PatientName == ""
    assert "research" in data.SeriesDescription
    assert "not for diagnosis" in data.CommentsOnThePerformedProcedureStep
    original, derived = data.WaveformSequence
    assert (original.WaveformOriginality, derived.WaveformOriginality) == ("ORIGINAL", "DERIVED")
    codes = [channel.ChannelSourceSequence[0].CodeMeaning for channel in derived.ChannelDefinitionSequence]
    assert codes == [f"Lead {lead}" for lead in LEADS]
    assert [c.ChannelSourceSequence[0].CodeValue for c in original.ChannelDefinitionSequence] == ["2:1"]
    words = [c.ChannelDerivationDescription for c in derived.ChannelDefinitionSequence]
    assert all(ORIGIN[lead] in text for lead, text in zip(LEADS, words, strict=True))
    began = datetime.strptime(data.AcquisitionDateTime, "%Y%m%d%H%M%S.%f")
    assert began == excerpt.began.replace(tzinfo=None)
    assert float(derived.SamplingFrequency) == 250
    read_uv = np.concatenate([data.waveform_array(1), data.waveform_array(0)], axis=1).T
    agree(edf_mv(read_uv), excerpt)
    noted = {item.UnformattedTextValue: item for item in data.WaveformAnnotationSequence}
    gap = noted["gap: signal lost, 1.556 s"]
    assert (gap.TemporalRangeType, gap.ReferencedSamplePositions) == ("SEGMENT", [1501, 1889])
    marker = noted['marker: said u twice, "quoted"']
    assert (marker.TemporalRangeType, marker.ReferencedSamplePositions) == ("POINT", 251)


def test_dicom_has_room_for_the_median_half_width_of_each_lead_only(
    banded: Excerpt, excerpt: Excerpt, tmp_path: Path
) -> None:
    data = pydicom.dcmread(write_dicom(banded, tmp_path, "r")[0])
    plain = pydicom.dcmread(write_dicom(excerpt, tmp_path, "without")[0])
    assert sum(group.NumberOfWaveformChannels for group in data.WaveformSequence) == 13  # as many as may be
    assert banded.half_width_mv is not None
    for k, lead in enumerate(LEADS):
        words = f"{lead}: half width of the 90 % band, median {np.nanmedian(banded.half_width_mv[k]):.3f} mV"
        (item,) = (i for i in data.WaveformAnnotationSequence if i.UnformattedTextValue == words)
        assert item.ReferencedWaveformChannels == [DERIVED_GROUP + 1, k + 1]
    assert "export WFDB, EDF+ or CSV" in data.CommentsOnThePerformedProcedureStep
    assert "no 90 % band" in plain.CommentsOnThePerformedProcedureStep
    for one, other in zip(data.WaveformSequence, plain.WaveformSequence, strict=True):
        assert one.WaveformData == other.WaveformData


def test_a_lead_that_is_not_lead_i_has_no_code_of_one_in_dicom(chest: Excerpt, tmp_path: Path) -> None:
    data = pydicom.dcmread(write_dicom(chest, tmp_path, "r")[0])
    channel = data.WaveformSequence[0].ChannelDefinitionSequence[0]
    assert channel.ChannelSourceSequence[0].CodeMeaning == "Unspecified lead"
    assert "input is not Lead I" in data.CommentsOnThePerformedProcedureStep


def test_what_is_too_long_for_one_dicom_object_becomes_several(excerpt: Excerpt, tmp_path: Path) -> None:
    samples = 2 * LONGEST + 100
    long = replace(
        excerpt,
        mv=np.resize(np.float32([0.1, 0.2, 0.3]), (13, samples)),
        marks=(
            Mark(10, 10, MarkType.NOTE, "marker", "early"),
            Mark(LONGEST - 5, LONGEST + 5, MarkType.GAP, "gap", "gap"),
        ),
    )
    paths = write_dicom(long, tmp_path, "r")
    assert [path.name for path in paths] == ["r_001.dcm", "r_002.dcm", "r_003.dcm"]
    objects = [pydicom.dcmread(path) for path in paths]
    assert len({data.SeriesInstanceUID for data in objects}) == 1
    assert len({data.SOPInstanceUID for data in objects}) == 3
    assert sum(data.WaveformSequence[1].NumberOfWaveformSamples for data in objects) == samples
    places = [
        {i.UnformattedTextValue: i.ReferencedSamplePositions for i in data.WaveformAnnotationSequence[1:]}
        for data in objects
    ]
    assert places == [{"early": 11, "gap": [LONGEST - 4, LONGEST]}, {"gap": [1, 5]}, {}]
    again = write_dicom(long, tmp_path, "again")
    assert again[0].read_bytes() == paths[0].read_bytes()


def test_without_pydicom_there_is_one_clear_line(
    excerpt: Excerpt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(InputError, match=r"pip install 'mecg-streamer\[dicom\]'"):
        write_dicom(excerpt, tmp_path, "r")
    assert not list(tmp_path.iterdir())


def test_clipping_is_told(excerpt: Excerpt, tmp_path: Path) -> None:
    mv = excerpt.mv.copy()
    mv[3, 5] = -40
    loud = replace(excerpt, mv=mv)
    record = read_wfdb(write_wfdb(loud, tmp_path, "r")[-1])
    assert "1 samples clipped to +-32.767 mV" in record.comments
    assert record.p_signal[5, 3] == pytest.approx(-32.767)
    data = pydicom.dcmread(write_dicom(loud, tmp_path, "r")[0])
    assert "1 samples clipped" in data.CommentsOnThePerformedProcedureStep
    edf = edfio.read_edf(write_edf(loud, tmp_path, "r")[0])
    assert any("clipped" in note.text for note in edf.annotations)
    assert edf.signals[3].data[5] == -32767
