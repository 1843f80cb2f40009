# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documents promise in figures, held in literals: a constant that is imported proves nothing."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest

from devices.lsl import outlet
from devices.replay.synthetic import Synthetic
from mecg.__main__ import main
from streamer.core.calibration.correction import DriftWatch
from streamer.core.events import Alarm, AlarmKind
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.core.vitals.vitals import Limits, Vitals
from streamer.model_files import load_model
from tests.streamer.made_session import description

HOSTILE = Path(__file__).parent / "hostile"
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CARD = (ROOT / "streamer" / "models" / "MODEL_CARD.md").read_text("utf-8")


@pytest.fixture(scope="module")
def low() -> Network:
    return load_model("low")


def low_rate_alarms(network: Network, bpm: float, limits: Limits | None) -> list[Alarm]:
    info = StreamInfo("test:", 250.0)
    pipeline, vitals = Pipeline(info, network), Vitals(250.0, info)
    if limits is not None:
        vitals.limits = limits
    lead_mv = Synthetic(f"?rate=250&bpm={bpm:g}").lead_mv(0, 40 * 250)
    chunks = [Chunk(i, lead_mv[i : i + 25]) for i in range(0, len(lead_mv), 25)]
    told = []
    for chunk in chunks:
        vitals.chunk(chunk)
        told += [event for frame in pipeline.push(chunk) for event in vitals.push(frame)]
    return [event for event in told if isinstance(event, Alarm) and event.alarm is AlarmKind.LOW_RATE]


@pytest.mark.parametrize(
    ("bpm", "limits", "rises"),
    [(48, None, True), (52, None, False), (78, Limits(80, 200), True), (82, Limits(80, 200), False)],
)
def test_a_low_rate_alarm_rises_below_its_limit_50_unless_set(
    low: Network, bpm: float, limits: Limits | None, rises: bool
) -> None:
    assert bool(low_rate_alarms(low, bpm, limits)) is rises


CID_3001 = {
    "I": "2:1",
    "II": "2:2",
    "III": "2:61",
    "aVR": "2:62",
    "aVL": "2:63",
    "aVF": "2:64",
    "V1": "2:3",
    "V2": "2:4",
    "V3": "2:5",
    "V4": "2:6",
    "V5": "2:7",
    "V6": "2:8",
}
"""DICOM PS3.16, CID 3001 ECG Leads: the codes of scheme MDC, each of them."""


def test_all_twelve_lead_codes_are_those_of_the_dicom_standard(tmp_path: Path) -> None:
    session = str(HOSTILE / "escapes.xdf")
    assert main(["export", session, "--format", "dicom", "--out", str(tmp_path), "--start", "0"]) == 0
    (path,) = tmp_path.glob("*.dcm")
    groups = pydicom.dcmread(path).WaveformSequence
    (derived,) = [group for group in groups if group.WaveformOriginality == "DERIVED"]
    codes = {}
    for channel in derived.ChannelDefinitionSequence:
        (source,) = channel.ChannelSourceSequence
        assert source.CodingSchemeDesignator == "MDC"
        codes[str(channel.ChannelLabel).removeprefix("Lead ")] = source.CodeValue
    assert codes == CID_3001


def test_stamps_of_a_source_without_stamps_lie_the_latency_before_the_arrival(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The made description states 78 ms."""
    sent: list[float] = []
    monkeypatch.setattr(outlet, "_push", lambda stream, samples, first_s, rate_hz: sent.append(first_s))
    sender = outlet.LslOutlet("test")
    sender._latency_s = description().latency.total_ms / 1e3
    sender._clock = SimpleNamespace(of=lambda host_s: host_s)  # type: ignore[assignment]
    sender._description = description()
    mv, flags = np.zeros((12, 4), np.float32), np.ones(4, np.bool_)
    now_s = time.monotonic()
    sender.frame(Frame(1000, 250.0, mv, mv[0], mv, flags, ~flags, math.nan, now_s))
    assert sent == [pytest.approx(now_s - 0.078, abs=1e-9)]


def test_samples_settle_for_2_s_after_a_start_and_after_a_long_gap(low: Network) -> None:
    pipeline = Pipeline(StreamInfo("test", 250.0), low)
    lead_mv = Synthetic("?rate=250").lead_mv(0, 2500)
    frames = pipeline.push(Chunk(0, lead_mv)) + pipeline.push(Chunk(3500, lead_mv)) + pipeline.finish()
    settling = [
        frame.start + i for frame in frames for i in np.flatnonzero(frame.settling & frame.valid).tolist()
    ]
    assert settling == [*range(500), *range(3500, 4000)]


def test_a_drift_is_over_at_half_of_what_raised_it() -> None:
    watch = DriftWatch()
    limit = next(drift for drift in np.arange(0.01, 100, 0.01).tolist() if DriftWatch().push(drift, 0.0))
    assert len(watch.push(1.01 * limit, 1.0)) == 1
    assert watch.push(0.9 * limit, 2.0) == watch.push(0.55 * limit, 3.0) == []
    assert len(watch.push(0.49 * limit, 4.0)) == 1


# ---- figures of the README that the model and its card hold


def test_the_readme_says_how_far_the_network_sees(low: Network) -> None:
    said = re.search(r"from ([\d.]+) s before it to (\d+) ms after it", README)
    assert said is not None
    assert low.spec.receptive_field is not None
    before = low.spec.receptive_field - low.spec.look_ahead
    assert float(said[1]) == pytest.approx(before / low.spec.rate_hz, abs=0.05)
    assert int(said[2]) == 1e3 * low.spec.look_ahead / low.spec.rate_hz


def test_the_readme_s_gain_of_a_longer_look_ahead_is_that_of_the_card() -> None:
    said = re.search(r"([\d.]+) and ([\d.]+) % less\s+error", README)
    rows = re.findall(
        r"^\| (low|balanced|full) \|(.*)\|$", CARD.split("## The three settings")[1], re.MULTILINE
    )
    rmse_mv = {
        name: float(row.split("|")[4]) for name, row in rows[:3]
    }  # before the end, as scores are defined
    assert said is not None and set(rmse_mv) == {"low", "balanced", "full"}
    for told, name in zip(said.groups(), ("balanced", "full"), strict=True):
        assert float(told) == pytest.approx(100 * (1 - rmse_mv[name] / rmse_mv["low"]), abs=0.06)
