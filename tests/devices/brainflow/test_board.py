# SPDX-License-Identifier: GPL-3.0-or-later
"""Boards through the real BrainFlow: its synthetic board, a file that it plays, a Cyton on a port."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("brainflow")

from devices.brainflow.board import BrainflowBoard
from devices.brainflow.session import BoardSession
from devices.live.feed import Timeouts
from devices.registry import open_source
from devices.replay.synthetic import Synthetic
from streamer.core.errors import InputError
from streamer.core.events import Battery, Contact, Event, SamplesLost, State, StateChanged
from streamer.core.stream import Chunk
from streamer.session.source import Source
from tests.devices.brainflow.cyton import Cyton

ECG = Synthetic("?rate=250").lead_mv(0, 5000)
QUICK = Timeouts(stale_s=0.5, silent_s=1.0, first_s=3.0)
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")


def ecg_uv(k: int) -> float:
    return 1000 * float(ECG[k % 5000])


def taken(source: Source, seconds: float = math.inf) -> list[Chunk | Event]:
    """Everything, or what came until so many seconds after the first sample."""
    items, until_s = [], math.inf
    for item in source.items():
        items.append(item)
        if isinstance(item, Chunk):
            until_s = min(until_s, time.monotonic() + seconds)
        if time.monotonic() > until_s:
            source.stop()
    return items


def samples(items: list[Chunk | Event]) -> np.ndarray:
    return np.concatenate([item.lead_mv for item in items if isinstance(item, Chunk)])


def lost(items: list[Chunk | Event]) -> int:
    return sum(item.count for item in items if isinstance(item, SamplesLost))


def states(items: list[Chunk | Event]) -> list[State]:
    return [item.state for item in items if isinstance(item, StateChanged)]


def test_the_synthetic_board_streams_its_sine_at_its_rate_and_loses_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    source = open_source("brainflow:synthetic?channel=2")
    info = source.open()
    begun = time.monotonic()
    items = taken(source, 2.5)
    mv = samples(items)
    assert lost(items) == 0 and abs(len(mv) / (time.monotonic() - begun) / info.rate_hz - 1) < 0.1
    # Channel 2: 20 uV of 10 Hz above 20 uV, with noise.
    assert abs(mv.mean() - 0.020) < 0.004 and 0.015 < mv.std() < 0.025
    spectrum = np.abs(np.fft.rfft(mv - mv.mean()))
    assert abs(np.fft.rfftfreq(len(mv), 1 / 250)[spectrum.argmax()] - 10) < 0.5
    assert any(isinstance(item, Battery) for item in items)
    assert states(items) == [State.CONNECTING, State.WAITING, State.LIVE, State.ENDED]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("lead", "row"), [(None, 0), ("I", 0), ("Lead I", 0), ("2", 1)])
def test_another_lead_than_i_names_the_channel(lead: str | None, row: int) -> None:
    source = open_source("brainflow:synthetic", lead=lead)
    assert isinstance(source, BrainflowBoard)
    label = source.open().lead
    source.stop()
    assert label == source._board.rows[row].label


def test_a_lead_that_the_board_has_not_is_refused() -> None:
    with pytest.raises(InputError, match="V5"):
        open_source("brainflow:synthetic", lead="V5").open()


def test_a_channel_counts_for_more_than_a_lead() -> None:
    source = open_source("brainflow:synthetic?channel=3", lead="2")
    assert isinstance(source, BrainflowBoard)
    label = source.open().lead
    source.stop()
    assert label == source._board.rows[2].label


def test_a_board_is_open_once_and_can_be_opened_again() -> None:
    first = open_source("brainflow:synthetic")
    first.open()
    with pytest.raises(InputError, match="already"):
        open_source("brainflow:synthetic").open()
    first.stop()
    second = open_source("brainflow:synthetic")
    second.open()
    second.stop()


@pytest.mark.parametrize("received", [False, True], ids=["prepared", "streaming"])
def test_a_board_is_opened_again_while_it_is_still_being_let_go_of(
    received: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release takes a real board a second or two; who stops and opens again does not see that."""
    release = BoardSession.release

    def slowly(session: BoardSession) -> None:
        time.sleep(0.5)
        release(session)

    monkeypatch.setattr(BoardSession, "release", slowly)
    first = open_source("brainflow:synthetic")
    first.open()
    if received:
        items = first.items()
        while not isinstance(next(items), Chunk):
            pass
    first.stop()
    second = open_source("brainflow:synthetic")
    second.open()
    second.stop()


def played(path: Path, gone: set[int], n: int = 750, bad: bool = False) -> str:
    """A file as BrainFlow records a Cyton, some of its packages missing; a SOURCE."""
    rows = np.zeros((n, 24))
    rows[:, 0] = np.arange(n) % 256
    rows[:, 2] = 1000 * ECG[:n]
    rows[:, 22] = 1.7e9 + np.arange(n) / 250
    lines = ["\t".join(f"{value:.6f}" for value in row) for k, row in enumerate(rows) if k not in gone]
    if bad:
        lines.insert(300, "half a li")
    path.write_text("\n".join(lines) + "\n")
    return f"brainflow:playback_file?file={path}&master=cyton&channel=2"


@pytest.mark.parametrize("gone", [set(), {100}, set(range(200, 240)) | {400, 402} | set(range(250, 260))])
def test_a_played_file_comes_whole_with_its_losses_and_its_end(tmp_path: Path, gone: set[int]) -> None:
    source = open_source(played(tmp_path / "a b.csv", gone, bad=True))
    info = source.open()
    items = taken(source)
    assert info.rate_hz == 250 and lost(items) == len(gone) and states(items)[-1] is State.ENDED
    assert sum(len(item.lead_mv) for item in items if isinstance(item, Chunk)) == 750 - len(gone)
    for item in items:
        if isinstance(item, Chunk):
            assert np.allclose(item.lead_mv, ECG[item.start : item.stop], atol=1e-5)


def test_a_file_of_another_board_is_refused(tmp_path: Path) -> None:
    text = played(tmp_path / "cyton.csv", set()).replace("master=cyton", "master=ganglion")
    with pytest.raises(InputError, match="15 rows"):
        open_source(text).open()


@pytest.fixture
def cyton() -> Iterator[Callable[..., Cyton]]:
    made: list[Cyton] = []

    def make(signal_uv: Callable[[int], float] = ecg_uv, daisy: bool = False) -> Cyton:
        made.append(Cyton(signal_uv, daisy))
        return made[-1]

    yield make
    for one in made:
        if one._thread.is_alive():
            one.unplug()


@on_posix
def test_a_cyton_is_read_in_mv_whatever_its_gain_and_its_losses_are_counted(
    cyton: Callable[..., Cyton], capfd: pytest.CaptureFixture[str]
) -> None:
    board = cyton()
    gone = {300, 301, 302} | set(range(500, 560))
    board.skip = gone
    source = open_source(f"brainflow:cyton?serial_port={board.port}&config=x1030110X")
    source.open()
    assert board.gain == 6 and "x1030110X" in board.commands
    items = taken(source, 2.6)
    assert lost(items) == len(gone)
    for item in items:
        if isinstance(item, Chunk):
            assert np.allclose(item.lead_mv, ECG[item.start : item.stop], atol=1e-4)
    until = time.monotonic() + 3
    while board.commands[-1] != "s" and time.monotonic() < until:
        time.sleep(0.05)
    assert board.commands[-1] == "s"  # nobody leaves it sending
    assert capfd.readouterr() == ("", "")


@on_posix
def test_of_a_daisy_a_sample_is_lost_if_its_second_half_is(cyton: Callable[..., Cyton]) -> None:
    board = cyton(daisy=True)
    halves = {101, 141, 191, 193, 195, *range(301, 341, 2)}  # the Cyton's own, which end a sample
    board.skip = halves | {80, 160, 240, 400}
    source = open_source(f"brainflow:cyton_daisy?serial_port={board.port}")
    assert source.open().rate_hz == 125
    items = taken(source, 2.4)
    assert lost(items) == len(halves)
    for item in items:
        if isinstance(item, Chunk):
            assert np.allclose(item.lead_mv, ECG[item.start : item.stop], atol=1e-4)


@on_posix
def test_a_command_that_the_board_refuses_is_said(cyton: Callable[..., Cyton]) -> None:
    board = cyton()
    for command in ("x8030110X", "x1930110X"):
        with pytest.raises(InputError):
            open_source(f"brainflow:cyton?serial_port={board.port}&config={command}").open()
    open_source(f"brainflow:cyton?serial_port={board.port}").open()  # and the port is free again


@on_posix
def test_an_electrode_that_comes_off_is_said_and_its_samples_are_missing(
    cyton: Callable[..., Cyton],
) -> None:
    board = cyton(lambda k: -1e9 if 125 <= k < 250 else ecg_uv(k))
    source = open_source(f"brainflow:cyton?serial_port={board.port}")
    source.open()
    items = taken(source, 2.6)
    mv = samples(items)
    assert np.isnan(mv[125:250]).all() and np.isfinite(mv[:125]).all() and np.isfinite(mv[250:]).all()
    assert [item.touches for item in items if isinstance(item, Contact)] == [False, True]


@on_posix
def test_a_board_that_stops_sending_is_opened_again_and_the_gap_is_told(
    cyton: Callable[..., Cyton], tmp_path: Path
) -> None:
    board = cyton()
    link = tmp_path / "port"
    link.symlink_to(board.port)
    source = BrainflowBoard(f"cyton?serial_port={link}", patience=QUICK)
    source.open()
    unplugged: list[float] = []

    def replug() -> None:
        time.sleep(2.0)
        board.unplug()
        unplugged.append(time.monotonic())
        time.sleep(2.0)
        board.plug()
        link.unlink()
        link.symlink_to(board.port)

    threading.Thread(target=replug, daemon=True).start()
    items: list[Chunk | Event] = []
    again = None
    for item in source.items():
        items.append(item)
        if isinstance(item, StateChanged) and item.state is State.LIVE:
            again = time.monotonic()
        back = unplugged and again and again > unplugged[0] + 0.1
        if isinstance(item, Chunk) and back and time.monotonic() > again + 1.0:
            source.stop()
    seen = states(items)
    assert State.RECONNECTING in seen and seen.count(State.LIVE) == 2
    (gap,) = [item for item in items if isinstance(item, SamplesLost)]
    before = max(item.arrival_s for item in items if isinstance(item, Chunk) and item.arrival_s < again - 0.5)
    assert abs(gap.count / 250 - (again - before)) < 0.15
