# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hundred random histories of links: told lost is truly lost, the rate is true, no alarm is missing, the
recording is complete.  Bluetooth goes through real bleak and real GATT, LSL through a liblsl in its own time.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from devices.bluetooth.polar import polar
from devices.live.feed import Timeouts
from devices.lsl.inlet import LslStream
from devices.replay.synthetic import Synthetic
from streamer.core.network.network import Network
from streamer.core.stream import Placement
from tests.devices.bluetooth.straps import H10, int24
from tests.devices.bluetooth.virtual_radio import Air
from tests.devices.link_histories import Account, Happening, history
from tests.devices.lsl.fake_lsl import FakeLsl
from tests.streamer.core.conftest import identity_model, spec

HISTORY_SENDER = Path(__file__).parent / "lsl" / "history_sender.py"
SECONDS = 75.0
FEW, ALL = range(3), range(100)
SHORT = [pytest.param(seed, id=str(seed)) for seed in FEW]
LONG = [pytest.param(seed, id=str(seed), marks=pytest.mark.long) for seed in ALL if seed not in FEW]


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(identity_model(spec()))


def heart_uv(rate_hz: float, seconds: float) -> np.ndarray:
    """An ECG in which no two stretches of a packet are alike."""
    lead_mv = Synthetic(f"?rate={round(rate_hz)}&bpm=68").lead_mv(0, round(seconds * rate_hz)).astype(float)
    index = np.arange(len(lead_mv))
    return np.rint(1e3 * lead_mv).astype(np.int64) + (index * 7919) % 31 - 15


# ---- Bluetooth


class HeartStrap(H10):
    """An H10 whose samples are a heart's; `heart` by the strap's own sample number."""

    heart = heart_uv(130.0, 400.0)
    first = 0

    def __init__(self, rate_hz: float) -> None:
        super().__init__(rate_hz=rate_hz)
        self.numbers: dict[bytes, int] = {}
        """Of each frame, by its samples."""

    def frame(self, start: int, n: int | None = None) -> bytes:
        n = n or self.n
        self.first = self.first or start
        last_ns = round((self.epoch_s + (start + n - 1) / self.rate_hz) * 1e9)
        at = np.arange(start, start + n) - self.first
        self.numbers[self.heart[at % len(self.heart)].tobytes()] = start
        return struct.pack("<BQB", 0, last_ns, 0) + int24(self.heart[at % len(self.heart)])


def play(air: Air, strap: HeartStrap, happened: list[Happening]) -> list[Happening]:
    """Let things happen to an air; returns what did, which grows as they do."""
    begun_s: list[float] = []
    waiting, done = list(happened), []
    held: list[bytes] = []
    silent_until = [0.0]

    def act(now_s: float, start: int) -> None:
        each = waiting.pop(0)
        done.append(each)
        if each.kind == "restart":
            air.in_range = False
            air.lose_link()
            air.soon(each.amount, lambda: setattr(air, "in_range", True))
        elif each.kind in ("silence", "stall"):
            silent_until[0] = now_s + each.amount
        elif each.kind == "jump":
            strap.epoch_s += each.amount

    def tamper(sensor: Any, start: int, data: bytes) -> list[bytes]:
        now_s = air.time.now
        begun_s[:] = begun_s or [now_s]
        if waiting and now_s - begun_s[0] > waiting[0].at_s:
            kind = waiting[0].kind
            act(now_s, start)
            if kind == "drop":
                return []
            if kind == "duplicate":
                return [data, data]
            if kind == "swap":
                held.append(data)
                return []
        if now_s < silent_until[0]:
            if done[-1].kind == "stall":
                held.append(data)
            return []
        out = [*held, data] if done and done[-1].kind == "stall" else [data, *held]
        held.clear()
        return out

    air.tamper = tamper
    return done


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", SHORT + LONG)
def test_a_history_of_a_strap(seed: int, network: Network, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    strap = HeartStrap(rate_hz=130 * float(rng.uniform(0.985, 1.015)))
    kinds = ["drop", "silence", "stall", "duplicate", "swap", "jump", "restart"]
    happened = history(seed, kinds, SECONDS)
    # Of a frame that is lost just as the strap's clock jumps nothing tells.
    loss = 0.0 if any(each.kind == "jump" for each in happened) else float(rng.choice([0.0, 0.03]))
    air = Air(strap, loss=loss, jitter_s=float(rng.choice([0.0, 0.05])), seed=seed)
    play(air, strap, happened)
    source = polar(radio=air.radio(), placement=Placement.ARMS)
    air.time.held = lambda: source._feed._box.qsize() > 100
    account = Account(source.open(), network, tmp_path)
    for item in source.items():
        account.take(item)
        if account.chunks and account.chunks[-1].arrival_s - account.chunks[0].arrival_s > SECONDS:
            source.stop()
    account.close()
    source._thread.join(5)
    numbers = []
    for chunk in account.chunks:
        uv = np.rint(chunk.lead_mv.astype(float) * 1e3).astype(np.int64)
        numbers.append(strap.numbers[uv.tobytes()] + np.arange(len(uv)))
    # Where the strap's clock jumps while nothing comes, only the arrivals say how much is missing.
    account.check(numbers, within=0)
    assert source.timeline.rate_hz == pytest.approx(strap.rate_hz, rel=2e-3)


# ---- LSL


class HistoryLsl(FakeLsl):
    """A liblsl whose sender lives a history; its channel II is the number of each sample."""

    def __init__(self, seed: int) -> None:
        super().__init__(1e9)
        rng = np.random.default_rng(seed)
        self.true_hz = float(rng.choice([100.0, 128.0, 250.0, 256.0]))
        self.RATE = float(rng.choice([self.true_hz, 0.0]))
        self.packet = int(rng.choice([8, 16, 25, 64]))
        self.happened = history(
            seed, ["drop", "silence", "stall", "duplicate", "swap", "jump", "unit", "restart"], SECONDS
        )
        self.down: list[tuple[float, float]] = []
        self.exact = True
        self.packets = self._packets()

    def _packets(self) -> list[tuple[float, np.ndarray, np.ndarray]]:
        """By arrival: values ``(n, 2)`` and stamps."""
        rate_hz, n = self.true_hz, self.packet
        heart = heart_uv(rate_hz, SECONDS + 60)
        waiting, shift_s, gain, came = list(self.happened), 0.0, 1.0, []
        silent_s = stall_s = 0.0
        held: list[tuple[float, np.ndarray, np.ndarray]] = []
        for k in range(0, round((SECONDS + 4) * rate_hz), n):
            index = np.arange(k, k + n)
            at_s = (k + n - 1) / rate_hz
            rows = np.stack((gain * heart[index % len(heart)], index), axis=1).astype(float)
            packet = 1000 + at_s + 0.002, rows, 1000 + index / rate_hz + shift_s
            kind = ""
            if waiting and at_s > waiting[0].at_s:
                each = waiting.pop(0)
                kind = each.kind
                if kind == "silence":
                    silent_s = at_s + each.amount
                elif kind == "stall":
                    stall_s = at_s + each.amount
                elif kind == "jump":
                    shift_s += each.amount
                elif kind == "unit":
                    gain *= each.amount if gain == 1 else 1 / gain
                elif kind == "restart":
                    self.down.append((1000 + at_s, 1000 + at_s + each.amount))
            if kind == "drop" or at_s < silent_s or any(a <= packet[0] < b for a, b in self.down):
                continue
            if kind == "swap" or at_s < stall_s:
                held.append(packet)
                continue
            if kind == "duplicate":
                came.append(packet)
            if stall_s and held:
                came += [(packet[0], *late[1:]) for late in held]
                held, stall_s = [], 0.0
            came.append(packet)
            if held:  # they were overtaken
                came += [(packet[0], *late[1:]) for late in held]
                held = []
        return came

    def results(self) -> list[FakeLsl]:
        self.now_s += 0.05
        return [] if self.is_down() else [self]

    def is_down(self) -> bool:
        return any(a <= self.now_s < b for a, b in self.down)

    def as_xml(self) -> str:
        stated = "<channel><label>I</label><unit>mV</unit></channel>"
        channels = "".join(
            f"<channel><label>{label}</label><unit>{unit}</unit></channel>"
            for label, unit in (("I", "uV"), ("II", "nV"))
        )
        xml = super().as_xml().replace("<channel_count>1", "<channel_count>2")
        return xml.replace(stated, channels)

    def StreamInlet(self, found: FakeLsl, **how: object) -> Any:  # noqa: N802 - pylsl's
        return HistoryInlet(self)


class HistoryInlet:
    def __init__(self, lsl: HistoryLsl) -> None:
        self.lsl = lsl
        self.begun_s = lsl.now_s
        self.rest: tuple[np.ndarray, np.ndarray] = (np.empty((0, 2)), np.empty(0))

    def info(self, wait_s: float) -> HistoryLsl:
        return self.lsl

    def open_stream(self, wait_s: float) -> None:
        self.flush()

    def time_correction(self, wait_s: float) -> float:
        return 0.0

    def flush(self) -> None:
        while self.lsl.packets and self.lsl.packets[0][0] < self.lsl.now_s:
            self.lsl.packets.pop(0)

    def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
        lsl = self.lsl
        if not lsl.packets:
            lsl.now_s += wait_s
            lsl.at_end()
            return None, None
        arrival_s, rows, stamps = lsl.packets[0]
        dies_s = min((a for a, b in lsl.down if self.begun_s < a), default=np.inf)
        if min(arrival_s, lsl.now_s + wait_s) >= dies_s:
            lsl.now_s = max(lsl.now_s, dies_s)
            raise RuntimeError("the stream has been lost.")
        if arrival_s > lsl.now_s + wait_s:
            lsl.now_s += wait_s
            return None, None
        lsl.now_s = max(lsl.now_s, arrival_s)
        lsl.packets.pop(0)
        rows_all, stamps_all = [rows], [stamps]
        while lsl.packets and lsl.packets[0][0] <= lsl.now_s:
            _, more, at = lsl.packets.pop(0)
            rows_all.append(more)
            stamps_all.append(at)
        joined, at_all = np.concatenate(rows_all), np.concatenate(stamps_all)
        self.rest = joined[1:], at_all[1:]
        return joined[0], float(at_all[0])

    def pull_chunk(self, wait_s: float) -> tuple[np.ndarray, np.ndarray]:
        return self.rest


def number_of(second_mv: np.ndarray, expected: int | None) -> np.ndarray:
    """The numbers in channel II, nV as stated, in whatever unit they were taken for."""
    for off in (1.0, 1e3, 1e-3):
        numbers = np.rint(second_mv.astype(float) * 1e6 / off)
        if expected is None or abs(numbers[0] - expected) < 0.5 * expected:
            return numbers.astype(np.int64)
    raise AssertionError((second_mv[:3], expected))


def numbers_of(account: Account) -> list[np.ndarray]:
    """Of the samples of each chunk."""
    numbers: list[np.ndarray] = []
    shift: int | None = None
    for chunk in account.chunks:
        assert chunk.reference_mv is not None
        number = number_of(chunk.reference_mv[1], None if shift is None else chunk.start + shift)
        shift = int(number[0]) - chunk.start if shift is None else shift
        numbers.append(number)
    return numbers


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", SHORT + LONG)
def test_a_history_of_a_stream(
    seed: int, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lsl = HistoryLsl(seed)
    monkeypatch.setattr("devices.lsl.inlet.load_pylsl", lambda: lsl)
    monkeypatch.setattr("devices.lsl.search.SECOND_S", 0.0)
    monkeypatch.setattr("devices.lsl.inlet._POLL_S", 0.0)
    monkeypatch.setattr("devices.live.feed._DEPTH", 10**6)  # the sender outruns real time
    source = LslStream("fake", clock=lsl.clock, patience=Timeouts(silent_s=5.0, backoff_s=(0.0,)))
    lsl.at_end = source.stop
    info = source.open()
    assert info.rate_hz == pytest.approx(lsl.true_hz, rel=2e-3)
    account = Account(info, network, tmp_path)
    for item in source.items():
        account.take(item)
    account.close()
    account.check(numbers_of(account), within=0)
    changed = sum(each.kind == "unit" for each in lsl.happened)
    assert len(account.readings) == changed, account.readings


# ---- the same with real liblsl senders in processes of their own, in real time, all at once


class Living:
    """One sender after another for one history, and what our side made of it."""

    def __init__(self, seed: int, folder: Path, network: Network) -> None:
        self.lsl = HistoryLsl(seed)
        self.network, self.folder = network, folder
        self.name = f"history {os.getpid()} {seed}"
        self.file = folder / "history.npz"
        packets = self.lsl.packets
        np.savez(
            self.file,
            at_s=np.array([at_s - 1000 for at_s, _, _ in packets]),
            ends=np.cumsum([len(stamps) for _, _, stamps in packets]),
            rows=np.concatenate([rows for _, rows, _ in packets]),
            stamps=np.concatenate([stamps for _, _, stamps in packets]) - 1000,
        )
        self.error: BaseException | None = None
        self.account: Account | None = None
        self.source = LslStream(self.name)

    def send(self, origin: float) -> None:
        """Let the senders live and die, to the end."""
        begin_s = 0.0
        for dies_s, back_s in [*((a - 1000, b - 1000) for a, b in self.lsl.down), (1e9, 1e9)]:
            how = {"file": str(self.file), "name": self.name, "rate": self.lsl.RATE, "origin": origin}
            process = subprocess.Popen(
                [sys.executable, str(HISTORY_SENDER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            process.communicate((json.dumps(how | {"begin_s": begin_s, "end_s": dies_s}) + "\n").encode())
            begin_s = back_s
            time.sleep(max(0.0, min(origin + back_s, origin + SECONDS + 4) - pylsl.local_clock()))

    def live(self) -> None:
        try:
            origin = pylsl.local_clock() + 3.0
            sending = threading.Thread(target=self.send, args=(origin,))
            sending.start()
            self.account = Account(self.source.open(), self.network, self.folder)
            stop = threading.Timer(SECONDS + 2, self.source.stop)
            stop.start()
            for item in self.source.items():
                self.account.take(item)
            self.account.close()
            sending.join()
        except BaseException as error:  # noqa: BLE001 - for the test to raise
            self.error = error


@pytest.mark.long
@pytest.mark.timeout(600)
def test_histories_of_real_senders(network: Network, tmp_path: Path, lsl_loopback: object) -> None:
    lives = []
    for seed in (1000, 1003):
        (tmp_path / str(seed)).mkdir()
        lives.append(Living(seed, tmp_path / str(seed), network))
    threads = [threading.Thread(target=life.live) for life in lives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for life in lives:
        if life.error is not None:
            raise life.error
        assert life.account is not None
        assert life.account.info.rate_hz == pytest.approx(life.lsl.true_hz, rel=2e-3)
        life.account.check(numbers_of(life.account), within=0)
