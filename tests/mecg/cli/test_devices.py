# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg devices`, and a live stream end to end through the command line."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mecg.__main__ import main
from mecg.app.first_seconds import FirstSeconds
from mecg.cli import devices
from streamer.core.errors import InputError
from streamer.core.events import Event, State, StateChanged
from streamer.core.stream import Chunk, StreamInfo
from streamer.session.source import ScanResult
from tests.devices.lsl.lsl_rig import Sender

STRAP = ScanResult(
    "polar:24:AC:AC:01:02:03", "ble", "Polar H10 12345678", "24:AC:AC:01:02:03", -61, 130.0, True, battery=80
)
BELT = ScanResult("", "ble", "Belt\x1b[2J", "24:AC:AC:01:02:04", None)
STREAM = ScanResult("lsl:My ECG", "lsl", "My ECG", "id", None, 250.0, True)
FAST = ScanResult("", "lsl", "Fast", "id2", None, 8192.0, True, why_not="too fast; slow it down")
PORT = ScanResult("serial:COM3", "port", "Uno", "1", what="serial port, Arduino", why_not="state its rate")


@pytest.fixture
def send(lsl_loopback: object) -> Iterator[Callable[..., Sender]]:
    senders: list[Sender] = []

    def start(**how: object) -> Sender:
        senders.append(Sender())
        senders[-1].begin(**how)
        return senders[-1].ready()

    yield start
    for sender in senders:
        sender.kill()


def looks_for(monkeypatch: pytest.MonkeyPatch, **scans: Callable[[float], list[ScanResult]]) -> None:
    monkeypatch.setattr(devices, "SCANS", scans)


def lists(*found: ScanResult, takes_s: float = 0.0) -> Callable[[float], list[ScanResult]]:
    def scan(seconds: float) -> list[ScanResult]:
        time.sleep(takes_s)
        return list(found)

    return scan


def refuses(text: str) -> Callable[[float], list[ScanResult]]:
    def scan(seconds: float) -> list[ScanResult]:
        raise InputError(text)

    return scan


def test_both_are_scanned_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks_for(
        monkeypatch,
        ble=lists(BELT, STRAP, takes_s=0.5),
        lsl=lists(STREAM, takes_s=0.5),
        port=lists(PORT, takes_s=0.5),
    )
    begun = time.monotonic()
    assert main(["devices", "--json"]) == 0
    assert time.monotonic() - begun < 0.9
    out, err = capsys.readouterr()
    listed = json.loads(out)
    assert err == "" and [one["source"] for one in listed] == [
        "",
        STRAP.source,
        STREAM.source,
        PORT.source,
    ]
    assert listed[1] == {
        "source": "polar:24:AC:AC:01:02:03",
        "kind": "ble",
        "name": "Polar H10 12345678",
        "address": "24:AC:AC:01:02:03",
        "rssi": -61,
        "rate_hz": 130.0,
        "ecg": True,
        "what": "",
        "why_not": "",
        "battery": 80,
    }


def test_people_get_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    looks_for(monkeypatch, ble=lists(BELT, STRAP), lsl=lists(STREAM, FAST), port=lists(PORT))
    assert main(["devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "SOURCE                   NAME                RATE     RSSI",
        "polar:24:AC:AC:01:02:03  Polar H10 12345678  130 Hz   -61 dBm  ECG, battery 80 %",
        "lsl:My ECG               My ECG              250 Hz   -        ECG",
        "-                        Fast                8192 Hz  -        ECG: too fast; slow it down",
        "serial:COM3              Uno                 -        -        serial port, Arduino: state its rate",
        r"-                        Belt\x1b[2J         -        -        no ECG",
    ]


def test_what_cannot_be_scanned_says_so_in_one_line_and_the_rest_is_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks_for(monkeypatch, ble=refuses("no Bluetooth\nhere"), lsl=lists(STREAM))
    assert main(["devices", "--json"]) == 0
    out, err = capsys.readouterr()
    assert (err, [one["kind"] for one in json.loads(out)]) == ("no Bluetooth here\n", ["lsl"])
    looks_for(monkeypatch, ble=refuses("no Bluetooth\nhere"), lsl=refuses("no liblsl"))
    assert main(["devices", "--seconds", "2"]) == 0
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", ["no Bluetooth here", "no liblsl", "nothing was found in 2 s"])


def test_a_failure_that_is_nobodys_input_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seconds: float) -> list[ScanResult]:
        raise ZeroDivisionError

    looks_for(monkeypatch, ble=lists(), lsl=broken)
    with pytest.raises(ZeroDivisionError):
        main(["devices"])


def test_a_real_stream_is_found_pasted_and_streamed(send: Callable[..., Sender], model_file: object) -> None:
    send(name="Bob's ECG", signal="ecg", channels=[{"label": "I", "unit": "uV"}])
    command = [sys.executable, "-m", "mecg"]
    listed = subprocess.run([*command, "devices", "--seconds", "2", "--json"], capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
    # No radio where this runs: one line says so.
    assert len([line for line in listed.stderr.splitlines() if "luetooth" in line]) == 1
    (source,) = [one["source"] for one in json.loads(listed.stdout) if one["name"] == "Bob's ECG"]
    options = ["--seconds", "3", "--json", "--model", str(model_file)]
    done = subprocess.run([*command, "stream", source, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    before = [line["type"] for line in lines].index("stream")
    assert {line["type"] for line in lines[:before]} == {"event"}, "how it was connected"
    first, *rest = lines[before:]
    assert (first["source"], first["source_rate_hz"]) == (source, 250)
    frames = [line for line in rest if line["type"] == "frame"]
    peaks = [mv for frame in frames for mv in frame["measured_mv"] if mv is not None]
    assert len(peaks) > 250 and 0.5 < max(peaks) < 1.2


def test_ctrl_c_ends_a_live_stream_within_2_s(send: Callable[..., Sender], model_file: object) -> None:
    send(name="to be stopped")
    command = [sys.executable, "-m", "mecg", "stream", "lsl:to be stopped", "--model", str(model_file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as stream:
        assert stream.stderr is not None
        for line in stream.stderr:
            if "live |" in line:
                break
        begun = time.monotonic()
        stream.send_signal(signal.SIGINT)
        said = ""
        while not said.startswith("ended |"):
            said = stream.stderr.readline()
            assert said
        assert time.monotonic() - begun < 2
        said = stream.stderr.read()
        assert stream.wait(10) == 130
        assert "Traceback" not in said


def test_the_first_seconds_of_a_live_source_end_once_whatever_it_had_still_received() -> None:
    class Live:
        def open(self) -> StreamInfo:
            return StreamInfo("x:", 250.0, live=True)

        def items(self) -> Iterator[Chunk | Event]:
            for start in range(0, 100, 10):
                yield Chunk(start, np.zeros(10, np.float32))
            yield StateChanged(State.ENDED, "stopped")

        def stop(self) -> None:
            pass

    source = FirstSeconds(Live(), 0.1)
    assert source.empty
    assert source.open().samples == 25
    *chunks, last = source.items()
    assert [(c.start, len(c.lead_mv)) for c in chunks if isinstance(c, Chunk)] == [(0, 10), (10, 10), (20, 5)]
    assert isinstance(last, StateChanged) and len(chunks) == 3 and not source.empty


class Slow:
    """A live source whose first sample takes its time, and that may never come; 250 Hz."""

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._stopped = threading.Event()

    def open(self) -> StreamInfo:
        return StreamInfo("slow:", 250.0, live=True)

    def items(self) -> Iterator[Chunk | Event]:
        yield StateChanged(State.WAITING, "waiting")
        if not self._stopped.wait(self._first_s):
            k = 0
            while not self._stopped.wait(0.02):
                yield Chunk(k, np.zeros(5, np.float32))
                k += 5
        yield StateChanged(State.ENDED, "stopped")

    def stop(self) -> None:
        self._stopped.set()


def test_seconds_are_counted_from_the_first_sample_however_long_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = FirstSeconds(Slow(0.6), 0.2)
    source.open()
    chunks = [item for item in source.items() if isinstance(item, Chunk)]
    assert chunks and not source.empty
    monkeypatch.setattr("mecg.app.first_seconds.FIRST_SAMPLE_S", 0.3)
    nothing = FirstSeconds(Slow(1e6), 0.2)
    nothing.open()
    begun = time.monotonic()
    assert not [item for item in nothing.items() if isinstance(item, Chunk)]
    assert nothing.empty and time.monotonic() - begun < 5


def test_a_stream_from_which_nothing_came_ends_with_1_and_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mecg.app.first_seconds.FIRST_SAMPLE_S", 0.3)
    monkeypatch.setattr("mecg.cli.stream.source_of", lambda *_: Slow(1e6))
    assert main(["stream", "slow:", "--seconds", "1"]) == 1
    assert "no sample came from slow:" in capsys.readouterr().err
