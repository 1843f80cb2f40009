# SPDX-License-Identifier: GPL-3.0-or-later
"""A recording keeps when it began, and its samples when they were, whatever is made of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from mecg.__main__ import main
from streamer.export.excerpt import Excerpt
from streamer.formats.wfdb_header import read_header
from streamer.formats.wfdb_writer import WfdbWriter
from streamer.lead_recording import open_recording
from streamer.recording.reader import Recording

FILES = Path("tests/streamer/formats/files")
APPLE = FILES / "apple_en.csv"


def test_the_record_begins_when_the_file_did(tmp_path: Path) -> None:
    assert main(["reconstruct", str(APPLE), "--out", str(tmp_path)]) == 0
    for header in tmp_path.glob("*.hea"):
        assert header.read_text().splitlines()[0].endswith(" 09:15:00.000000 14/03/2026")
    assert len(list(tmp_path.glob("*.hea"))) == 2


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ("09:15:00.123 14/03/2026", "09:15:00.123000 14/03/2026"),
        ("2026-03-14 9:15:00.5", "09:15:00.500000 14/03/2026"),
        ("23:59:59.999", "23:59:59.999000"),
        ("15:07", "00:15:07.000000"),
        ("14/03/2026", ""),
        ("25:00:00 14/03/2026", ""),
        ("", ""),
    ],
)
def test_a_record_keeps_its_base_time(
    stated: str, kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = WfdbWriter(tmp_path, "made", 250.0, signals=["I"])
    writer.append(np.random.default_rng(1).normal(0, 0.2, (1, 2000)).astype(np.float32))
    header = writer.finish()
    header.write_text(header.read_text().replace(" 2000\n", f" 2000 {stated}\n"))
    assert main(["reconstruct", str(header), "--out", str(tmp_path / "out")]) == 0
    for end in ("", "_band"):
        first = (tmp_path / "out" / f"made{end}.hea").read_text().splitlines()[0]
        assert first == f"made{end} 12 250 2000 {kept}".strip()
    capsys.readouterr()
    assert main(["report", str(header), "--json", "--out", str(tmp_path / "page")]) == 0
    began = json.loads(capsys.readouterr().out)["began"]
    if kept.count(" "):
        moment = datetime.strptime(kept, "%H:%M:%S.%f %d/%m/%Y")
        assert datetime.fromisoformat(began) == moment
    else:
        assert began == (kept[:12] or None)


@pytest.mark.parametrize("name", ["edfplus_I_uV.edf", "plain.csv"])
def test_other_files_keep_theirs_to_the_millisecond(name: str, tmp_path: Path) -> None:
    if name == "plain.csv":
        rows = "".join(
            f"{datetime(2026, 3, 14, 9, 15, 0, 123000) + timedelta(milliseconds=4 * i)},{i % 200 / 200}\n"
            for i in range(2000)
        )
        (tmp_path / name).write_text(f"time,I [mV]\n{rows}")
        path = tmp_path / name
    else:
        raw = bytearray((FILES / name).read_bytes())
        raw[168:184] = b"14.03.2609.15.00"
        at = raw.index(b"+0\x14\x14")
        raw[at : at + 8] = b"+0.123\x14\x14"
        path = tmp_path / name
        path.write_bytes(raw)
    began = open_recording(path).began
    assert began == datetime(2026, 3, 14, 9, 15, 0, 123000)
    assert main(["reconstruct", str(path), "--out", str(tmp_path / "out")]) == 0
    assert read_header(tmp_path / "out" / path.stem).began == datetime(2026, 3, 14, 9, 15, 0, 123000)


@pytest.mark.parametrize("speed", ["max", "40"])
def test_samples_recorded_at_another_speed_have_stamps_of_their_instants(speed: str, tmp_path: Path) -> None:
    assert main(["stream", str(APPLE), "--speed", speed, "--seconds", "30", "--record", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("*.xdf")
    streams, _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False, synchronize_clocks=False)
    by_name = {stream["info"]["name"][0]: stream for stream in streams}
    for name, rate_hz in (("mECG raw", 512.0), ("mECG leads", 250.0)):
        stamps_s = by_name[name]["time_stamps"]
        assert np.allclose(np.diff(stamps_s), 1 / rate_hz, atol=1e-6)
        assert stamps_s[-1] - stamps_s[0] == pytest.approx(30.0, abs=0.1)
    zero_s = by_name["mECG raw"]["time_stamps"][0]
    beats = [
        (stamp_s, event)
        for stamp_s, (text,) in zip(
            by_name["mECG events"]["time_stamps"], by_name["mECG events"]["time_series"], strict=True
        )
        if (event := json.loads(text))["kind"] == "beat"
    ]
    assert len(beats) > 20
    assert all(stamp_s - zero_s == pytest.approx(event["at_s"], abs=1e-6) for stamp_s, event in beats)
    with Recording.open(path) as recording:
        for start_s in (0.0, 10.0, 25.0):
            began = Excerpt.of(recording, start_s=start_s, end_s=start_s + 2).began
            assert abs(began - recording.first_sample - timedelta(seconds=start_s)) < timedelta(
                milliseconds=1
            )
        assert timedelta(0) <= recording.first_sample - recording.began < timedelta(seconds=1)
    assert open_recording(path).began == recording.first_sample
    assert main(["reconstruct", str(path), "--out", str(tmp_path / "out")]) == 0
    (header,) = (p for p in (tmp_path / "out").glob("*.hea") if "_band" not in p.name)
    kept = read_header(header).began
    assert kept is not None and kept == recording.first_sample.replace(tzinfo=None)
