# SPDX-License-Identifier: GPL-3.0-or-later
"""`--lsl-out` and `mecg send`, as they are typed."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mecg.__main__ import main
from mecg.profiling import clock_offset
from streamer.core.events import Failed
from streamer.recording.reader import Recording
from tests.devices.lsl.lsl_rig import Sender

READER = Path(__file__).parents[2] / "devices" / "lsl" / "lsl_reader.py"


def read_while(tmp_path: Path, names: list[str], *command: str) -> dict[str, np.typing.NDArray[np.float64]]:
    """What a reader in another process gets of streams while a command runs in a third."""
    out = tmp_path / "read.npz"
    with (
        subprocess.Popen([sys.executable, str(READER), str(out), *names]) as reader,
        subprocess.Popen([sys.executable, "-m", "mecg", *command], stderr=subprocess.PIPE) as mecg,
    ):
        _, err = mecg.communicate(timeout=60)
        assert mecg.returncode == 0, err
        assert reader.wait(60) == 0
    with np.load(out) as saved:
        return dict(saved)


def test_send_replays_a_lead_with_a_stamp_for_each_sample(tmp_path: Path) -> None:
    read = read_while(
        tmp_path, ["sent"], "send", "synthetic:?rate=200&bpm=72", "--lsl", "sent", "--seconds", "4"
    )
    info = ET.fromstring(str(read["sent.xml"]))
    assert (info.findtext("type"), info.findtext("channel_count")) == ("ECG", "1")
    assert float(info.findtext("nominal_srate") or 0) == 200
    assert info.findtext("desc/channels/channel/label") == "I"
    assert info.findtext("desc/channels/channel/unit") == "millivolts"
    assert len(read["sent.x"]) > 200
    assert np.ptp(read["sent.x"]) > 0.5
    assert np.allclose(np.diff(read["sent.t"]), 1 / 200, atol=1e-3)


def test_stream_sends_the_twelve_leads(tmp_path: Path, model_file: Path) -> None:
    command = ["stream", "synthetic:", "--seconds", "4", "--model", str(model_file), "--lsl-out"]
    read = read_while(tmp_path, ["mecg", "mecg-events"], *command)
    assert read["mecg.x"].shape[1] == 12
    assert len(read["mecg.x"]) > 200
    assert str(read["mecg-events.x"][-1, 0]).startswith("state:")
    said = ET.fromstring(str(read["mecg.xml"])).findtext("desc/reconstruction/uncertainty")
    assert said == "no 90 % band: the model stated no uncertainty"


@contextmanager
def sending(**how: object) -> Iterator[None]:
    sender = Sender()
    try:
        sender.begin(signal="ecg", per_mv=1000.0, rate=500.0, **how)
        sender.ready()
        yield
    finally:
        sender.kill()


@pytest.mark.parametrize("held_s", [pytest.param(0.0, marks=pytest.mark.long), 0.15])
def test_a_reference_measured_elsewhere_says_how_late_our_stamps_are(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch, held_s: float
) -> None:
    """A source 60 ms late, and an amplifier that states when it measured, however late it sends."""
    monkeypatch.setattr(clock_offset, "BLOCK_S", 2.0)
    origin = time.monotonic()
    with (
        sending(name="late", origin=origin + 0.06, packet=5, source_id="late"),
        sending(name="amplifier", origin=origin, packet=10, source_id="amplifier", held_s=held_s),
    ):
        run = ["profile", "lsl:late", "--reference", "lsl:amplifier", "--seconds", "10"]
        assert main([*run, "--out", str(tmp_path / "o"), "--model", str(model_file)]) == 0
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert summary["transport"]["relative"] is False
    assert summary["reference"]["delay"]["ms"] == pytest.approx(60, abs=2)


def test_a_sender_that_comes_back_as_another_stream_ends_with_2_and_a_whole_recording(
    tmp_path: Path, model_file: Path
) -> None:
    folder = tmp_path / "recorded"
    how = {"name": "reset", "signal": "ecg", "rate": 250.0, "packet": 5}
    first, second = Sender(), Sender()
    first.begin(**how)
    first.ready()
    command = ["stream", "lsl:reset", "--record", str(folder), "--model", str(model_file)]
    with subprocess.Popen(
        [sys.executable, "-m", "mecg", *command], stderr=subprocess.PIPE, text=True
    ) as mecg:
        assert mecg.stderr is not None
        said = [next(line for line in mecg.stderr if "receiving samples" in line)]
        time.sleep(2)
        first.kill()
        second.begin(**how | {"rate": 500.0})
        said += mecg.stderr.readlines()
        assert mecg.wait(20) == 2
    second.kill()
    assert said[-1].startswith("mecg: ") and "500 Hz instead of 250 Hz" in said[-1]
    (path,) = folder.iterdir()
    with Recording.open(path) as recorded:
        assert recorded.complete and recorded.raw_stop > 400
        assert recorded.stop - recorded.start == recorded.raw_stop
        (failed,) = [event for event in recorded.events if isinstance(event, Failed)]
    assert f"mecg: {failed.why}" == said[-1].strip()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["stream", "--speed", "max", "--lsl-out"], "--lsl-out sends in real time"),
        (["send", "--lsl", "x", "--speed", "2"], "mecg send sends in real time"),
        (["send", "--lsl", "", "synthetic:"], "needs a name"),
        (["stream", "--lsl-out", "wfdb:recordings/ptb/s0010_re"], "is a SOURCE: put it before --lsl-out"),
        (["send", "synthetic:"], "--lsl"),
    ],
)
def test_what_cannot_be_sent_gets_one_line(
    command: list[str], words: str, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(model_file)] if command[0] == "stream" else []
    assert main([*command[:1], *model, *command[1:]]) == 2
    err = capsys.readouterr().err
    assert words in err.splitlines()[-1]


def test_without_liblsl_the_command_says_so_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    assert main(["send", "synthetic:", "--lsl", "x"]) == 2
    assert "LSL cannot be used here" in capsys.readouterr().err.splitlines()[-1]
