# SPDX-License-Identifier: MIT
"""Text files of any language, decimal sign, delimiter and line end are the same recording."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer import InputError, open_recording
from streamer.core.errors import Field
from streamer.formats.recording import Recording, Stated

FILES = Path(__file__).parent / "files"
APPLE = (FILES / "apple_en.csv").read_text("utf-8")
N = 600
BEATS = np.round(np.interp(np.arange(N) % 200, [0, 95, 100, 105, 200], [0, 0, 1, 0, 0]), 3)

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

LANGUAGES = {
    "de": ("Messrate", "Hertz", "Ableitung", "Ableitung I", "Einheit", "µV"),
    "fr": ("Taux d’échantillonnage", "hertz", "Dérivation", "Dérivation I", "Unité", "µV"),
    "es": ("Frecuencia de muestreo", "hercios", "Derivación", "Derivación I", "Unidad", "µV"),
    "ja": ("サンプルレート", "ヘルツ", "誘導", "第I誘導", "単位", "µV"),
    "zh": ("采样率", "赫兹", "导联", "导联 I", "单位", "微伏"),
    "ru": ("Частота дискретизации", "герц", "Отведение", "Отведение I", "Единица", "мкВ"),
    "pl": ("Częstotliwość", "herców", "Odprowadzenie", "Odprowadzenie I", "Jednostka", "µV"),
    "fi": ("Näytteenottotaajuus", "hertsiä", "Kytkentä", "Kytkentä I", "Yksikkö", "µV"),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mu", "µμ")
@pytest.mark.parametrize(("bom", "end"), [("", "\n"), ("\ufeff", "\r\n")])
def test_a_watch_speaks_every_language(language: str, mu: str, bom: str, end: str, tmp_path: Path) -> None:
    rate, hertz, lead_word, lead, unit_word, unit = LANGUAGES[language]
    english = "Lead,Lead I\nUnit,µV\n"
    head, rest = APPLE.replace("Sample Rate,512 hertz", f"{rate},512,414 {hertz}").split(english)
    text = f"{head}{lead_word},{lead}\n{unit_word},{unit}\n{rest.replace('.', ',')}"
    path = tmp_path / "ekg.csv"
    path.write_bytes((bom + text.replace("µ", mu).replace("\n", end)).encode())
    recording = open_recording(path)
    assert (recording.rate_hz, recording.names) == (512.414, ("I",))
    assert np.array_equal(recording.read(), open_recording(FILES / "apple_en.csv").read())


def write(path: Path, head: str, rows: list[str], end: str = "\n", bom: str = "") -> Path:
    path.write_bytes((bom + end.join([head, *rows]) + end).encode())
    return path


@many
@given(
    delimiter=st.sampled_from(",;\t"),
    comma=st.booleans(),
    bom=st.sampled_from(["", "\ufeff"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoted=st.booleans(),
    time=st.sampled_from(
        [("time [s]", 1.0), ("time_ms", 1e-3), ("Zeit (s)", 1.0), ("timestamp", 1e-3), ("t [us]", 1e-6)]
    ),
    lead=st.sampled_from(
        [("I [mV]", 1.0), ("ECG (uV)", 1e-3), ("voltage[mV]", 1.0), ("ecg_µV", 1e-3), ("Lead I (mV)", 1.0)]
    ),
    rate_hz=st.sampled_from([130.0, 250.0, 500.0, 512.0, 1000.0]),
    gap=st.integers(0, 50),
)
def test_a_table_is_the_same_recording_however_it_is_written(
    tmp_path: Path,
    delimiter: str,
    comma: bool,
    bom: str,
    end: str,
    quoted: bool,
    time: tuple[str, float],
    lead: tuple[str, float],
    rate_hz: float,
    gap: int,
) -> None:
    comma, quote = comma and (delimiter != "," or quoted), '"' if quoted else ""
    rows = []
    for i, value in enumerate(BEATS):
        if not 300 <= i < 300 + gap:
            stamp = f"{i / rate_hz / time[1]:.{9 if time[1] == 1 else 3}f}"
            fields = [f"{quote}{text}{quote}" for text in (stamp, f"{value / lead[1]:.3f}")]
            rows.append(delimiter.join(field.replace(".", ",") if comma else field for field in fields))
    path = write(
        tmp_path / "t", delimiter.join(f"{quote}{name}{quote}" for name in (time[0], lead[0])), rows, end, bom
    )
    recording = open_recording(path)
    assert recording.rate_hz == rate_hz
    assert recording.samples == N
    mv = recording.read()[0]
    assert np.isnan(mv).sum() == gap == np.isnan(mv[300 : 300 + gap]).sum()
    assert np.nanmax(np.abs(mv - BEATS)) < 1e-6


@pytest.mark.parametrize("gap", [0, 1, 40])
def test_samples_that_the_times_leave_out_are_said(gap: int, tmp_path: Path) -> None:
    rows = [f"{i / 250:.6f},{value}" for i, value in enumerate(BEATS) if not 300 <= i < 300 + gap]
    said = open_recording(write(tmp_path / "t", "time [s],I [mV]", rows)).notes
    assert [note for note in said if "missing" in note] == (
        [f"{gap} samples are missing by the times of the file."] if gap else []
    )


def test_a_gap_stays_one_if_the_user_states_another_rate(tmp_path: Path) -> None:
    rows = [f"{i / 250:.6f},{value}" for i, value in enumerate(BEATS) if not 300 <= i < 340]
    recording = open_recording(write(tmp_path / "t", "time [s],I [mV]", rows), Stated(rate_hz=500.0))
    assert (recording.rate_hz, recording.samples) == (500.0, N)
    assert np.isnan(recording.read()[0, 300:340]).all() and len(recording.notes) == 2


@pytest.mark.parametrize("packet", [1, 5, 16, 73])
def test_stamps_that_repeat_give_count_over_span(packet: int, tmp_path: Path) -> None:
    rows = [f"{(i // packet) * packet / 130:.6f},{value}" for i, value in enumerate(BEATS)]
    recording = open_recording(write(tmp_path / "t", "time [s],I [mV]", rows))
    assert recording.rate_hz == pytest.approx(130.0, rel=1e-3)
    assert recording.samples == N


@pytest.mark.parametrize(
    ("head", "field"), [("ecg", Field.UNIT), ("I [mV]", Field.RATE), ("I [counts],II [counts]", Field.LEAD)]
)
def test_what_a_table_does_not_say_is_asked_for(head: str, field: Field, tmp_path: Path) -> None:
    columns = head.count(",") + 1
    path = write(tmp_path / "t", head, [",".join([str(value)] * columns) for value in BEATS])
    with pytest.raises(InputError) as refused:
        open_recording(path)
    assert refused.value.field is field
    if field is not Field.LEAD:
        assert open_recording(path, Stated(unit_mv=1.0, rate_hz=250.0)).rate_hz == 250.0


@pytest.mark.parametrize("row", ["{i},{t},{v}", "{ms},0,{v3}"], ids=["row numbers", "decimal commas"])
def test_a_row_of_more_columns_than_the_header_is_refused_and_not_shifted(row: str, tmp_path: Path) -> None:
    rows = [row.format(i=i, t=i / 250, ms=4 * i, v=BEATS[i], v3=f"{i % 999:03d}") for i in range(N)]
    write(tmp_path / "table.csv", "time [ms],I [mV]", rows)
    with pytest.raises(InputError, match="more columns"):
        open_recording(tmp_path / "table.csv")
    write(tmp_path / "table.csv", "time [s],I [mV]", [f"{i / 250},{BEATS[i]}," for i in range(N)])
    assert np.allclose(open_recording(tmp_path / "table.csv").read()[0], BEATS, atol=1e-6)


@pytest.mark.parametrize("rate", ["0", "-250", "inf", "nan", "", None])
def test_a_rate_that_cannot_be_is_asked_for_and_can_be_stated(rate: str | None, tmp_path: Path) -> None:
    path = tmp_path / "any.json"
    path.write_text(json.dumps(FITBIT | {"samplingFrequencyHz": rate}))
    with pytest.raises(InputError) as refused:
        open_recording(path)
    assert refused.value.field is Field.RATE
    assert open_recording(path, Stated(rate_hz=250.0)).rate_hz == 250.0
    with pytest.raises(InputError):
        Stated().rate(0.0, "a file")
    assert Stated(rate_hz=250.0).rate(0.0, "a file") == 250.0


@pytest.mark.parametrize("cut", ["2", "2.39", "2.396000", '"2.396'])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_last_row_that_is_cut_is_left_out_and_said(cut: str, end: str, tmp_path: Path) -> None:
    rows = [f"{i / 250:.6f},{value}" for i, value in enumerate(BEATS)]
    write(tmp_path / "table.csv", "time [s],I [mV]", rows)
    assert open_recording(tmp_path / "table.csv").notes == ()
    (tmp_path / "table.csv").write_text("\n".join(["time [s],I [mV]", *rows[:-1], cut]) + end)
    recording = open_recording(tmp_path / "table.csv")
    assert recording.samples == N - 1
    assert recording.notes == (f"Line {N + 1}, the last, is cut, and left out.",)


def test_a_last_row_of_polar_that_is_cut_is_said(tmp_path: Path) -> None:
    path = FILES / "Polar_H10_AAAAAAAA_20260314_091500_ECG.txt"
    whole = open_recording(path)
    text = path.read_text("utf-8")
    (tmp_path / "p.txt").write_text(text.rstrip("\n").rpartition("\n")[0] + "\n2026-03-14T09", "utf-8")
    recording = open_recording(tmp_path / "p.txt")
    assert recording.samples == whole.samples - 1
    assert [note for note in recording.notes if note not in whole.notes] == [
        f"Line {text.count(chr(10))}, the last, is cut, and left out."
    ]


@many
@given(
    before=st.integers(1, N - 1),
    rate_hz=st.sampled_from([125, 250, 500]),
    gap=st.integers(0, 40),
    comma=st.booleans(),
)
def test_a_clock_that_passes_midnight_goes_on(
    before: int, rate_hz: int, gap: int, comma: bool, tmp_path: Path
) -> None:
    rows = []
    for i, value in enumerate(BEATS):
        if not 300 <= i < 300 + gap:
            ms = (86_400_000 + (i - before) * 1000 // rate_hz) % 86_400_000
            clock = f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
            rows.append(f"{clock};{value}".replace(".", "," if comma else "."))
    recording = open_recording(write(tmp_path / "t", "time;I [mV]", rows))
    assert (recording.rate_hz, recording.samples) == (rate_hz, N)
    mv = recording.read()[0]
    assert np.isnan(mv).sum() == gap == np.isnan(mv[300 : 300 + gap]).sum()
    assert sum("midnight" in note for note in recording.notes) == 1


def test_a_clock_that_goes_back_by_less_than_half_a_day_is_refused(tmp_path: Path) -> None:
    rows = [f"10:00:{i // 10:02d}.{i % 10}00,{BEATS[i]}" for i in (*range(100, 300), *range(200))]
    with pytest.raises(InputError, match="go back at sample 201"):
        open_recording(write(tmp_path / "t", "time,I [mV]", rows), Stated(rate_hz=10.0))


@pytest.mark.parametrize("word", ["1_0", "0.1_5", "1_0e1", "_1", "1__0"])
@pytest.mark.parametrize("kind", ["table", "json", "withings", "apple"])
def test_digits_with_a_low_line_between_are_no_number(word: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "any"
    if kind == "json":
        path.write_text(json.dumps({"waveformSamples": [1, word, 3], "scalingFactor": 1}))
        assert np.isnan(open_recording(path, Stated(rate_hz=250.0)).read()[0, 1])
        return
    if kind == "table":
        write(path, "time [s],I [mV]", [f"{i / 250},{word if i == 9 else BEATS[i]}" for i in range(N)])
    elif kind == "withings":
        signal = ",".join(word if i == 9 else f"{BEATS[i]}" for i in range(N))
        write(path, "date,type,frequency,duration,wearposition,signal", [f'2026,ecg,300,30,1,"[{signal}]"'])
    else:
        path.write_text(f"{APPLE.rstrip()}\n{word}\n1.0\n", "utf-8")
    with pytest.raises(InputError, match=r"number|damaged"):
        open_recording(path)


@pytest.mark.parametrize("end", ["1,2", "1,2,", "[1,2"])
def test_a_withings_signal_that_is_cut_is_refused(end: str, tmp_path: Path) -> None:
    signal = ",".join(f"{value}" for value in BEATS)
    path = tmp_path / "signal.csv"
    write(path, "date,type,frequency,duration,wearposition,signal", [f'2026,ecg,300,30,1,"[{signal},{end}'])
    with pytest.raises(InputError, match="cut"):
        open_recording(path)


@pytest.mark.timeout(60)
def test_a_pipe_beside_a_table_does_not_hold_it_up(tmp_path: Path) -> None:
    write(tmp_path / "table.csv", "time [s],I [mV]", [f"{i / 250},{i % 7}" for i in range(500)])
    os.mkfifo(tmp_path / "table.json")
    assert open_recording(tmp_path / "table.csv").samples == 500


def test_an_export_of_apple_health_lists_its_ecgs_and_opens_one(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for day in ("13", "14"):
            text = APPLE.replace("2026-03-14", f"2026-03-{day}")
            archive.writestr(f"apple_health_export/electrocardiograms/ecg_2026-03-{day}.csv", text)
    with pytest.raises(InputError) as refused:
        open_recording(path)
    assert refused.value.field is Field.READING
    assert len(refused.value.choices) == 2
    for reading, day in (("1", 13), ("2", 14), ("2026-03-13", 13)):
        recording = open_recording(f"{path}?reading={reading}")
        assert isinstance(recording, Recording)
        assert recording.began is not None
        assert recording.began.day == day


WAVE = np.tile(BEATS, 5)
STEP_MV = 0.000381469726563
COUNTS = [round(value * 10922) for value in WAVE.tolist()]
FITBIT = {"samplingFrequencyHz": "250", "scalingFactor": 10922, "leadNumber": 1, "waveformSamples": COUNTS}
GOOGLE = {
    "interval": {"startTime": "2026-03-14T08:15:00Z"},
    "waveformSamples": COUNTS,
    "samplingFrequencyHertz": 250,
    "millivoltsScalingFactor": 10922,
    "leadNumber": 1,
}
VOLTS = list(enumerate(WAVE.tolist()))
PAIRS = [[i / 512.6, value / 1e3] for i, value in VOLTS]
STAMPED = [{"date": 1773479700 + i / 512, "voltage": v * 1e3, "units": "mcV"} for i, v in VOLTS]
PACKETS = [
    {
        "ecg": {
            "Timestamp": i * 128,
            "Samples": [round(v / STEP_MV) for v in WAVE[16 * i : 16 * i + 16].tolist()],
        }
    }
    for i in range(len(WAVE) // 16)
]


@pytest.mark.parametrize(
    ("document", "rate_hz", "stated", "is_lead_i"),
    [
        ({"ecgReadings": [FITBIT]}, 250.0, Stated(), True),
        ({"dataPoints": [{"electrocardiogram": GOOGLE}]}, 250.0, Stated(), True),
        ([{"samplingFrequency": 512.6, "voltageMeasurements": PAIRS}], 512.6, Stated(), True),
        (
            {"data": {"ecg": [{"samplingFrequency": 512.6, "voltageMeasurements": STAMPED}]}},
            512.6,
            Stated(),
            True,
        ),
        ({"data": {"ecg": [{"voltageMeasurements": STAMPED}]}}, 512.0, Stated(), True),
        ({"body": {"signal": (WAVE * 1e3).tolist(), "sampling_frequency": 300}}, 300.0, Stated(), True),
        ({"body": {"signal": WAVE.tolist(), "sampling_frequency": 500}}, 500.0, Stated(), True),
        ({"data": PACKETS}, 125.0, Stated(unit_mv=STEP_MV), False),
        (WAVE.tolist(), 200.0, Stated(unit_mv=1.0, rate_hz=200.0), False),
    ],
    ids=[
        "fitbit",
        "google",
        "healthkit",
        "export",
        "no rate",
        "withings",
        "withings mV",
        "movesense",
        "bare",
    ],
)
def test_readings_in_json_are_found_wherever_they_lie(
    document: object, rate_hz: float, stated: Stated, is_lead_i: bool, tmp_path: Path
) -> None:
    path = tmp_path / "any.json"
    path.write_text(json.dumps(document))
    recording = open_recording(path, stated)
    assert recording.rate_hz == rate_hz
    mv = recording.read()[0]
    assert np.allclose(mv, WAVE[: len(mv)], atol=5e-4)
    assert len(WAVE) - len(mv) < 16
    assert (recording.row("I") is not None) is is_lead_i


@pytest.mark.parametrize(
    ("document", "field"), [({"data": PACKETS}, Field.UNIT), (WAVE.tolist(), Field.RATE)]
)
def test_what_json_does_not_say_is_asked_for(document: object, field: Field, tmp_path: Path) -> None:
    path = tmp_path / "any.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as refused:
        open_recording(path)
    assert refused.value.field is field


def test_several_readings_are_listed_and_never_joined(tmp_path: Path) -> None:
    readings = [FITBIT | {"startTime": f"2026-03-{day}T09:15:00.000"} for day in (13, 14)]
    path = tmp_path / "any.json"
    path.write_text(json.dumps({"ecgReadings": readings}))
    with pytest.raises(InputError) as refused:
        open_recording(path)
    assert refused.value.field is Field.READING
    for reading in ("2", "2026-03-14"):
        recording = open_recording(f"{path}?reading={reading}")
        assert isinstance(recording, Recording)
        assert recording.samples == len(WAVE)
        assert recording.began is not None
        assert recording.began.day == 14


@pytest.mark.parametrize(
    "line",
    [
        *("Sampling rate: {}", "fs={}", "Abtastrate: {} Hz", "sample_rate,{}", "Sampling frequency [Hz]: {}"),
        *("Sample Rate (Hz),{}", "SamplingFrequency = {} samples/second", "Sampling: {} Hz", "Rate: {} Hz"),
        *("heart rate 80, sampling rate {} Hz, filter 40 Hz", "Abtastfrequenz {}"),
    ],
)
@pytest.mark.parametrize(
    ("said", "rate_hz"),
    [
        ("250", 250.0),
        ("512,4", 512.4),
        ("250.000", 250.0),
        ("2.5e2", 250.0),
        ("1,000", 1e3),
        ("1.000,0", 1e3),
    ],
)
def test_a_rate_above_a_table_is_read_as_it_is_written(
    line: str, said: str, rate_hz: float, tmp_path: Path
) -> None:
    for sign in ("# ", ""):
        path = write(tmp_path / "t", f"{sign}{line.format(said)}\nI [mV]", [f"{value}" for value in BEATS])
        assert open_recording(path).rate_hz == rate_hz


@pytest.mark.parametrize(("said", "rate_hz"), [("0.25 kHz", 250.0), ("1 kHz", 1e3), ("1,024 kHz", 1024.0)])
def test_a_rate_in_kilohertz_is_one(said: str, rate_hz: float, tmp_path: Path) -> None:
    rows = [f"{value}" for value in BEATS]
    assert open_recording(write(tmp_path / "t", f"# fs: {said}\nI [mV]", rows)).rate_hz == rate_hz


@pytest.mark.parametrize(
    "line",
    [
        *("Samples: 3000", "Number of samples = 3000", "Heart rate: 72", "rate 15/min", "Baud rate 9600"),
        *("Frame rate: 30", "low-pass frequency: 40 Hz", "sample 212 of a study", "Sampling rate: 4 ms"),
        *("Respiratory rate: 25", "Sampling interval: 4 ms", "Sample size: 16", "corner freq. 40"),
    ],
)
def test_another_number_above_a_table_is_no_rate(line: str, tmp_path: Path) -> None:
    path = write(tmp_path / "t", f"# {line}\nI [mV]", [f"{value}" for value in BEATS])
    with pytest.raises(InputError) as refused:
        open_recording(path)
    assert refused.value.field is Field.RATE


@pytest.mark.parametrize("step", ["0.5 uV", "0.5_uV", "1e-3 mV", "2.5e-1 uV", ".5 µV"])
@pytest.mark.parametrize("form", ["I [{}]", "I ({})", "I_{}", "ECG_I {}", "Lead I in {}"])
def test_a_step_of_several_units_is_never_left_out(form: str, step: str, tmp_path: Path) -> None:
    rows = [f"{i / 250:.6f},{value}" for i, value in enumerate(BEATS)]
    recording = open_recording(write(tmp_path / "t", f"time [s],{form.format(step)}", rows))
    of_a_step = {"0.5 uV": 5e-4, "0.5_uV": 5e-4, "1e-3 mV": 1e-3, "2.5e-1 uV": 2.5e-4, ".5 µV": 5e-4}[step]
    row = recording.row("I")
    assert row is not None and np.allclose(recording.read()[row], BEATS * of_a_step, rtol=1e-5, atol=0)


@pytest.mark.parametrize("clock", [True, False])
def test_a_table_as_rdsamp_of_wfdb_writes_it(clock: bool, tmp_path: Path) -> None:
    unit = "hh:mm:ss.mmm" if clock else "seconds"
    rows = []
    for i, value in enumerate(np.tile(BEATS, 30)):
        t = i / 250
        time = f"'{int(t // 60)}:{t % 60:06.3f}'" if clock else f"{t:.3f}"
        rows.append(f"{time},{value:.3f},{value / 2:.3f}")
    head = f"'Elapsed time','I','V5'\n'{unit}','mV','mV'"
    recording = open_recording(write(tmp_path / "t", head, rows))
    assert (recording.rate_hz, recording.names) == (250.0, ("I", "V5"))
    assert np.allclose(recording.read()[0], np.tile(BEATS, 30), atol=1e-6)
