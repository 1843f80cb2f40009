# SPDX-License-Identifier: MIT
"""Files with pauses, without their end, or with two leads of one name: what is there is read, and said."""

from __future__ import annotations

import json
import re
import struct
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from mecg.__main__ import main
from streamer.core.errors import Field, InputError
from streamer.core.stream import Chunk
from streamer.formats.recording import Stated
from streamer.formats.wfdb_writer import WfdbWriter
from streamer.formats.xdf import MAGIC, ChunkReader, Tag, chunk
from streamer.lead_recording import open_recording
from streamer.recording.reader import Recording as Session

FILES = Path(__file__).parent / "files"
HEAD, SIZE, RECORDS = 768, 614, 12
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def edf_with_pauses(folder: Path, onsets: list[float], kind: bytes = b"EDF+D") -> Path:
    raw = bytearray((FILES / "edfplus_I_uV.edf").read_bytes())
    raw[192:197] = kind
    for i, onset in enumerate(onsets):
        at = HEAD + i * SIZE + 500
        raw[at : at + 12] = f"+{onset:g}\x14\x14".encode().ljust(12, b"\0")
    (folder / "paused.edf").write_bytes(raw)
    return folder / "paused.edf"


@pytest.mark.parametrize("pauses", [{4: 5.0}, {1: 0.5, 11: 60.0}, {}])
def test_pauses_of_edf_plus_d_are_gaps_in_their_place(pauses: dict[int, float], tmp_path: Path) -> None:
    onsets, at = [], 0.25
    for i in range(RECORDS):
        at += pauses.get(i, 0.0)
        onsets.append(at)
        at += 1.0
    whole = open_recording(FILES / "edfplus_I_uV.edf").read()[0]
    recording = open_recording(edf_with_pauses(tmp_path, onsets))
    mv = recording.read()[0]
    lost = round(250 * sum(pauses.values()))
    assert len(mv) == len(whole) + lost and int(np.isnan(mv).sum()) == lost
    for i, onset in enumerate(onsets):
        first = round((onset - onsets[0]) * 250)
        assert np.array_equal(mv[first : first + 250], whole[250 * i : 250 * (i + 1)])
    assert any(str(lost) in note for note in recording.notes) == bool(lost)


@pytest.mark.parametrize("kind", [b"EDF+C", b"EDF+D"])
@pytest.mark.parametrize("first_s", [0.0, 0.25, 3.0, 567.5])
def test_an_edf_begins_as_long_after_its_start_as_its_first_data_record(
    first_s: float, kind: bytes, tmp_path: Path
) -> None:
    began = open_recording(edf_with_pauses(tmp_path, [float(i) for i in range(RECORDS)])).began
    recording = open_recording(edf_with_pauses(tmp_path, [first_s + i for i in range(RECORDS)], kind))
    assert began is not None and recording.began == began + timedelta(seconds=first_s)


def test_an_edf_whose_first_data_record_lies_beyond_all_dates_opens(tmp_path: Path) -> None:
    raw = bytearray(edf_with_pauses(tmp_path, [0.0]).read_bytes())
    raw[HEAD + 500 : HEAD + 518] = b"+999999999999999\x14\x14"
    (tmp_path / "late.edf").write_bytes(raw.replace(b"EDF+D", b"EDF+C"))
    assert open_recording(tmp_path / "late.edf").began is None


def test_data_records_that_go_back_are_refused(tmp_path: Path) -> None:
    path = edf_with_pauses(tmp_path, [0, 1, 2, 7, 5, 6, 8, 9, 10, 11, 12, 13])
    with pytest.raises(InputError, match="overlap"):
        open_recording(path)


@pytest.mark.parametrize("kept", [1, 7.5, 11.99])
def test_of_a_cut_edf_the_whole_data_records_are_read_and_that_is_said(kept: float, tmp_path: Path) -> None:
    raw = (FILES / "edfplus_I_uV.edf").read_bytes()
    (tmp_path / "cut.edf").write_bytes(raw[: HEAD + round(kept * SIZE)])
    recording = open_recording(tmp_path / "cut.edf")
    whole = open_recording(FILES / "edfplus_I_uV.edf").read()
    assert np.array_equal(recording.read(), whole[:, : 250 * int(kept)])
    assert any(f"{int(kept)} of 12" in note for note in recording.notes)


@pytest.mark.parametrize("kind", ["physical", "digital"])
@pytest.mark.parametrize("word", ["same", "inf", "nan", "1e999", "x", ""])
def test_an_edf_signal_without_a_range_is_refused_and_not_read_unscaled(
    kind: str, word: str, tmp_path: Path
) -> None:
    raw = bytearray((FILES / "edfplus_I_uV.edf").read_bytes())
    low, high = ((464, 480), (496, 512))[kind == "digital"]
    raw[high : high + 8] = bytes(raw[low : low + 8]) if word == "same" else word.ljust(8).encode()
    (tmp_path / "flat.edf").write_bytes(raw)
    with pytest.raises(InputError, match="range"):
        open_recording(tmp_path / "flat.edf")


@pytest.mark.parametrize("stated", ["0", "00", "-0"])
def test_an_edf_that_states_no_data_records_says_so(stated: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="states 0 data records and holds 12"):
        open_recording(edf_with(tmp_path, (236, stated.ljust(8).encode())))


def ishne(path: Path, samples: int, more: bytes = b"", end: int | None = None) -> Path:
    """The ISHNE file of the tests with another number of samples stated, more behind it, or cut."""
    raw = bytearray((FILES / "ishne_I_II.ecg").read_bytes())
    struct.pack_into("<i", raw, 14, samples)
    path.write_bytes((bytes(raw) + more)[:end])
    return path


@QUICK
@given(off=st.integers(-4000, 4000), torn=st.integers(0, 3))
def test_an_ishne_says_what_it_holds_beyond_or_short_of_what_it_states(
    off: int, torn: int, tmp_path: Path
) -> None:
    whole = open_recording(FILES / "ishne_I_II.ecg")
    n = whole.samples
    recording = open_recording(ishne(tmp_path / "i.ecg", n - off, bytes(torn)))
    assert np.array_equal(recording.read(), whole.read(), equal_nan=True)
    assert any(f"{n} samples" in note for note in recording.notes) == bool(off)
    assert any("more than the" in note for note in recording.notes) == (off > 0)
    assert any(f"which {torn} bytes" in note for note in recording.notes) == bool(torn)
    assert not open_recording(ishne(tmp_path / "i.ecg", 2 * n)).notes  # of both leads


@pytest.mark.parametrize("name", ["ishne_I_II.ecg", "edfplus_I_uV.edf"])
def test_a_file_of_holes_larger_than_any_of_its_kind_is_refused_before_it_is_read(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "holes"
    path.write_bytes((FILES / name).read_bytes())
    with path.open("r+b") as file:
        file.truncate((1 << 31) + 1)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="over 2048 MB"):
            open_recording(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("words", [b"<info", b"<info>\xff</info>", b"", "<info/>".encode("utf-16")[:-3]])
def test_another_programs_xdf_whose_stream_cannot_be_read_says_what_to_do(
    words: bytes, tmp_path: Path
) -> None:
    head = MAGIC + chunk(Tag.FILE_HEADER, b"<info><version>1.0</version></info>")
    table = chunk(Tag.SAMPLES, struct.pack("<BI", 4, 1), b"\x08" + struct.pack("<df", 1.0, 0.0), stream=1)
    path = tmp_path / "other.xdf"
    path.write_bytes(head + chunk(Tag.STREAM_HEADER, words, stream=1) + 100 * table)
    with pytest.raises(InputError, match=r"damaged.*fetch it again"):
        open_recording(path)
    with pytest.raises(
        InputError, match="is no recording of this program, but an XDF recording; name a session"
    ):
        Session(path)


def test_another_programs_xdf_in_utf_16_is_read(tmp_path: Path) -> None:
    raw = (FILES / "labrecorder_ecg.xdf").read_bytes()
    with (FILES / "labrecorder_ecg.xdf").open("rb") as file:
        chunks = list(ChunkReader(file, len(raw), range(1 << 32)))
    out = MAGIC
    for each in chunks:
        if each.tag == Tag.STREAM_HEADER:
            text = each.content.decode().replace("UTF-8", "utf-16").replace("utf-8", "utf-16")
            out += chunk(Tag.STREAM_HEADER, text.encode("utf-16"), stream=each.stream)
        else:
            out += raw[each.offset : each.stop]
    (tmp_path / "wide.xdf").write_bytes(out)
    whole = open_recording(FILES / "labrecorder_ecg.xdf").read()
    assert np.array_equal(open_recording(tmp_path / "wide.xdf").read(), whole, equal_nan=True)


def damaged_xdf(count: int, samples: bytes, header: bytes = b"") -> bytes:
    raw = (FILES / "labrecorder_ecg.xdf").read_bytes()
    with (FILES / "labrecorder_ecg.xdf").open("rb") as file:
        chunks = list(ChunkReader(file, len(raw), range(1 << 32)))
    stream = next(each.stream for each in chunks if each.tag == Tag.SAMPLES)
    more = chunk(Tag.SAMPLES, struct.pack("<BI", 4, count), samples, stream=stream)
    return raw + (chunk(Tag.STREAM_HEADER, header, stream=99) if header else b"") + more


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("header", [b"", b"<?xml version='1.0' encoding='bogus'?><info/>"])
def test_an_xdf_whose_chunk_claims_more_than_it_holds_is_read_without_it(
    count: int, header: bytes, tmp_path: Path
) -> None:
    whole = open_recording(FILES / "labrecorder_ecg.xdf").read()
    sample = b"\x08" + struct.pack("<df", 1.0, 0.0)
    (tmp_path / "more.xdf").write_bytes(damaged_xdf(count + 1, sample * count, header))
    recording = open_recording(tmp_path / "more.xdf")
    assert np.array_equal(recording.read(), whole, equal_nan=True)
    assert any("damaged" in note for note in recording.notes)


def test_gaps_in_the_stamps_of_an_xdf_are_gaps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = (FILES / "labrecorder_ecg.xdf").read_bytes()
    whole = open_recording(FILES / "labrecorder_ecg.xdf").read()[0]
    with (FILES / "labrecorder_ecg.xdf").open("rb") as file:
        chunks = list(ChunkReader(file, len(raw), range(1 << 32)))
    tables = [chunk for chunk in chunks if chunk.tag == Tag.SAMPLES]
    assert len(tables) > 4
    left_out = tables[len(tables) // 2]
    parts = [raw[chunk.offset : chunk.stop] for chunk in chunks if chunk is not left_out]
    (tmp_path / "gap.xdf").write_bytes(MAGIC + b"".join(parts))
    recording = open_recording(tmp_path / "gap.xdf")
    mv = recording.read()[0]
    missing = np.isnan(mv)
    assert len(mv) == len(whole) and 0 < missing.sum() < len(mv) / 2
    assert np.array_equal(mv[~missing], whole[~missing])
    assert any(re.search(rf"\b{missing.sum()} samples are missing", note) for note in recording.notes)


@pytest.mark.parametrize("leads", [("I", "Lead I", "V5"), ("ECG", "ecg"), ("II", "II", "II")])
def test_two_leads_of_one_name_are_said(
    leads: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = WfdbWriter(tmp_path, "made", 250.0, signals=leads)
    mv = np.random.default_rng(1).normal(0, 0.2, (len(leads), 1500)).astype(np.float32)
    writer.append(mv)
    path = writer.finish()
    source = FileReplay(path, lead=leads[0], replay=Replay(speed=np.inf))
    assert any("the first is played" in note for note in source.open().notes)
    played = np.concatenate([item.lead_mv for item in source.items() if isinstance(item, Chunk)])
    assert np.allclose(played, mv[0], atol=1e-3)
    assert main(["reconstruct", str(path), "--lead", leads[0], "--out", str(tmp_path / "out")]) == 0
    assert "the first is played" in capsys.readouterr().err


def test_withings_says_what_lead_it_is() -> None:
    recording = open_recording(FILES / "withings_signal.csv")
    assert recording.row("I") is not None
    assert any("Lead I" in note for note in recording.notes) and any(
        "wrist" in note for note in recording.notes
    )


def edf_with(folder: Path, *changes: tuple[int, bytes], end: int | None = None) -> Path:
    raw = bytearray((FILES / "edfplus_I_uV.edf").read_bytes())
    for at, words in changes:
        raw[at : at + len(words)] = words
    (folder / "other.edf").write_bytes(raw[:end])
    return folder / "other.edf"


def test_an_edf_that_was_never_closed_is_read(tmp_path: Path) -> None:
    whole = open_recording(FILES / "edfplus_I_uV.edf").read()
    recording = open_recording(edf_with(tmp_path, (236, b"-1      ")))
    assert np.array_equal(recording.read(), whole) and not recording.notes
    recording = open_recording(edf_with(tmp_path, (236, b"-1      "), end=-100))
    assert np.array_equal(recording.read(), whole[:, :-250])
    assert any("cut" in note for note in recording.notes)


def test_an_edf_without_a_unit_is_asked_for_it(tmp_path: Path) -> None:
    path = edf_with(tmp_path, (256 + 2 * 96, b"        "))
    with pytest.raises(InputError) as refused:
        open_recording(path)
    assert refused.value.field is Field.UNIT
    right = open_recording(FILES / "edfplus_I_uV.edf").read()
    assert np.allclose(open_recording(path, Stated(unit_mv=1e-3)).read(), right, atol=1e-6)


def test_a_date_of_birth_is_never_taken_for_the_start(tmp_path: Path) -> None:
    text = (FILES / "apple_en.csv").read_text("utf-8")
    (tmp_path / "e.csv").write_text(text.replace('"1 Jan 1990"', "1990-01-01 00:00:00 +0100"), "utf-8")
    assert open_recording(tmp_path / "e.csv").began == open_recording(FILES / "apple_en.csv").began


def blocks_of(raw: bytes) -> list[tuple[bytes, bytes]]:
    blocks, at = [], 12
    while at < len(raw):
        size = int.from_bytes(raw[at + 4 : at + 8], "little")
        blocks.append((raw[at : at + 4], raw[at + 8 : at + 8 + size]))
        at += 12 + size
    return blocks


@pytest.mark.parametrize("crc", [True, False])
@pytest.mark.parametrize("leads", [1, 6])
def test_a_kardia_recording_is_read_in_any_order_and_with_either_checksum(
    crc: bool, leads: int, tmp_path: Path
) -> None:
    raw = (FILES / "kardia_1lead.atc").read_bytes()
    blocks = blocks_of(raw)
    ecg = dict(blocks)[b"ecg "]
    blocks = sorted(blocks, key=lambda block: block[0] != b"fmt ")
    blocks += [(f"ecg{i}".encode(), ecg) for i in range(2, leads + 1)]
    out = raw[:12]
    for name, data in blocks:
        body = name + len(data).to_bytes(4, "little") + data
        out += body + (zlib.crc32(body) if crc else sum(body)).to_bytes(4, "little")
    (tmp_path / "k.atc").write_bytes(out)
    recording = open_recording(tmp_path / "k.atc")
    assert recording.names == ("I", "II", "III", "aVR", "aVL", "aVF")[:leads]
    assert np.array_equal(recording.read()[0], open_recording(FILES / "kardia_1lead.atc").read()[0])
    (tmp_path / "k.atc").write_bytes(out[:-50])
    with pytest.raises(InputError, match="cut"):
        open_recording(tmp_path / "k.atc")


def test_where_a_withings_was_worn_is_said_of_its_api_too(tmp_path: Path) -> None:
    signal = [1000 * (i % 300 == 150) for i in range(3000)]
    body = {"signal": signal, "sampling_frequency": 300, "wearposition": 0}
    (tmp_path / "w.json").write_text(json.dumps({"status": 0, "body": body}))
    assert any("right wrist" in note for note in open_recording(tmp_path / "w.json").notes)


def health_kit(path: Path, stamps: list[float], volts: list[float], shape: str, rate: float | None) -> Path:
    """HealthKit as pairs or objects, or Health Auto Export with numbers or words as times."""
    if shape == "pairs":
        measured: list[object] = [[t, v] for t, v in zip(stamps, volts, strict=True)]
    elif shape == "words":
        began = datetime(2026, 3, 14, tzinfo=UTC)
        times = [str(began + timedelta(seconds=t)) for t in stamps]
        measured = [{"date": t, "voltage": v, "units": "V"} for t, v in zip(times, volts, strict=True)]
    else:
        name = "date" if shape == "date" else "timeSinceSampleStart"
        measured = [{name: t, "voltage": v, "units": "V"} for t, v in zip(stamps, volts, strict=True)]
    reading: dict[str, object] = {"voltageMeasurements": measured}
    if rate is not None:
        reading["samplingFrequency"] = rate
    path.write_text(json.dumps([reading]))
    return path


@QUICK
@given(
    at=st.integers(2, 398),
    lost=st.integers(0, 2000),
    rate=st.sampled_from([128.0, 250.0, 512.6]),
    said=st.booleans(),
    shape=st.sampled_from(["pairs", "date", "objects", "words"]),
    unnamed=st.sets(st.integers(1, 398), max_size=3),
)
@example(at=2, lost=0, rate=128.0, said=False, shape="pairs", unnamed={1, 133, 266})
def test_a_gap_in_the_times_of_a_health_kit_reading_is_a_gap(
    at: int, lost: int, rate: float, said: bool, shape: str, unnamed: set[int], tmp_path: Path
) -> None:
    places = np.arange(400) + lost * (np.arange(400) >= at)
    volts = np.random.default_rng(1).normal(0, 2e-4, 400)
    stamps = [float("nan") if i in unnamed and shape != "words" else p / rate for i, p in enumerate(places)]
    unnamed = unnamed if shape != "words" else set()
    path = health_kit(tmp_path / "h.json", stamps, volts.tolist(), shape, rate if said else None)
    recording = open_recording(path)
    mv = recording.read()[0]
    there = np.delete(places, sorted(unnamed))
    assert recording.rate_hz == pytest.approx(rate, rel=1e-4) and len(mv) == 400 + lost
    assert np.array_equal(mv[there], np.delete(volts * 1e3, sorted(unnamed)).astype(np.float32))
    assert np.isnan(mv).sum() == len(mv) - len(there)
    said_lost = [int(note.split()[0]) for note in recording.notes if "missing" in note]
    assert said_lost == ([len(mv) - len(there)] if len(mv) > len(there) else [])
    assert any(f"{len(unnamed)} values without a time" in note for note in recording.notes) == bool(unnamed)


@pytest.mark.parametrize("shape", ["pairs", "date", "objects", "words"])
@pytest.mark.parametrize("rate", [250.0, None])
def test_times_of_a_health_kit_reading_that_go_back_are_refused(
    shape: str, rate: float | None, tmp_path: Path
) -> None:
    stamps = [(i if i < 200 else i - 50) / 250 for i in range(400)]
    path = health_kit(tmp_path / "h.json", stamps, [1e-4 * (i % 9) for i in range(400)], shape, rate)
    with pytest.raises(InputError, match="go back at sample 201"):
        open_recording(path)


def test_a_rate_that_the_times_of_a_health_kit_reading_contradict_is_said(tmp_path: Path) -> None:
    stamps, volts = [i / 250 for i in range(400)], [1e-4 * (i % 9) for i in range(400)]
    recording = open_recording(health_kit(tmp_path / "h.json", stamps, volts, "pairs", 500.0))
    assert recording.rate_hz == 500.0 and recording.samples == 400
    assert any("250 Hz" in note for note in recording.notes)


def kardia(path: Path, blocks: list[tuple[bytes, bytes]]) -> Path:
    out = (FILES / "kardia_1lead.atc").read_bytes()[:12]
    layout = dict(blocks_of((FILES / "kardia_1lead.atc").read_bytes()))[b"fmt "]
    for name, data in [(b"fmt ", layout), *blocks]:
        body = name + len(data).to_bytes(4, "little") + data
        out += body + sum(body).to_bytes(4, "little")
    path.write_bytes(out)
    return path


@QUICK
@given(lengths=st.lists(st.integers(0, 80), min_size=1, max_size=6), odd=st.booleans())
def test_kardia_leads_that_end_early_are_kept_whole_and_what_is_missing_is_said(
    lengths: list[int], odd: bool, tmp_path: Path
) -> None:
    names = (b"ecg ", b"ecg2", b"ecg3", b"ecg4", b"ecg5", b"ecg6")
    counts = [np.arange(1, n + 1, dtype="<i2") for n in lengths]
    torn = b"\1" * odd
    blocks = [(name, each.tobytes() + torn) for name, each in zip(names, counts, strict=False)]
    path = kardia(tmp_path / "k.atc", blocks)
    if not max(lengths):
        with pytest.raises(InputError, match="without"):
            open_recording(path)
        return
    recording = open_recording(path)
    mv = recording.read()
    assert mv.shape == (len(lengths), max(lengths))
    for row, each, name in zip(mv, counts, recording.names, strict=True):
        assert np.allclose(row[: len(each)], each * 5e-4) and np.isnan(row[len(each) :]).all()
        short = max(lengths) - len(each)
        said = [note for note in recording.notes if note.startswith(f"Lead {name} ")]
        assert any(f" {short} samples" in note for note in said) == bool(short)
    assert any("byte" in note for note in recording.notes) == odd


def test_a_second_block_of_a_kardia_lead_is_said(tmp_path: Path) -> None:
    blocks = [(b"ecg ", bytes(range(100))), (b"ecg ", bytes(50)), (b"note", b"a"), (b"note", b"b")]
    recording = open_recording(kardia(tmp_path / "k.atc", blocks))
    assert recording.samples == 50
    assert recording.notes == ("1 block of samples more than one to a lead is left out.",)


@pytest.mark.parametrize("magic", [True, False])
@pytest.mark.parametrize("torn", [0, 700])
def test_an_xdf_behind_another_is_no_part_of_it(magic: bool, torn: int, tmp_path: Path) -> None:
    raw = (FILES / "labrecorder_ecg.xdf").read_bytes()
    first, path = raw[: len(raw) - torn], tmp_path / "joined.xdf"
    path.write_bytes(first)
    alone = open_recording(path)
    path.write_bytes(first + raw[0 if magic else 4 :])
    joined = open_recording(path)
    assert joined.rate_hz == alone.rate_hz
    assert np.array_equal(joined.read()[:, : alone.samples], alone.read(), equal_nan=True)
    if magic or not torn:
        assert joined.samples == alone.samples
    assert any("damaged" in note for note in joined.notes)
