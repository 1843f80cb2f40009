# SPDX-License-Identifier: GPL-3.0-or-later
"""A microcontroller on a serial port, through the real pyserial and a pseudo-terminal."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("serial")
if sys.platform == "win32":
    pytest.skip("no pseudo-terminals", allow_module_level=True)

from devices.live.feed import Timeouts
from devices.registry import open_source
from devices.replay.synthetic import Synthetic
from devices.serial import look
from devices.serial.port import SerialPort
from streamer.core.errors import Field, InputError
from streamer.core.events import Contact, Dropped, Event, Notice, SamplesLost, State, StateChanged, Topic
from streamer.core.stream import Chunk
from tests.devices.serial.sketch import Sketch

ECG = np.rint(2048 + Synthetic("?rate=250").lead_mv(0, 5000) / 0.0008).astype(int)
"""As a converter of 12 bits behind an AD8232 reads it, 0.8 uV a step."""

QUICK = Timeouts(stale_s=0.5, silent_s=1.5, first_s=3.0)
STATED = "rate=250&uv=0.8"


def value(k: int) -> int:
    return int(ECG[k % len(ECG)])


def plain(k: int) -> bytes:
    return b"%d\r\n" % value(k)


def counted(k: int) -> bytes:
    return b"%d,%d\n" % (k, value(k))


def timed(k: int) -> bytes:
    return b"%d,%d\n" % (k * 4000 % 2**32, value(k))


@pytest.fixture(autouse=True)
def quick_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "LOOK_S", 0.3)


@pytest.fixture
def sketch(tmp_path: Path) -> Iterator[Callable[..., Sketch]]:
    made: list[Sketch] = []

    def make(line: Callable[[int], bytes] = plain, rate_hz: float = 250.0, hello: bytes = b"") -> Sketch:
        made.append(Sketch(tmp_path, line, rate_hz, hello))
        return made[-1]

    yield make
    for one in made:
        one.unplug()


def taken(source: SerialPort, seconds: float) -> list[Chunk | Event]:
    """What came until so many seconds after the first sample."""
    items: list[Chunk | Event] = []
    until_s = math.inf
    for item in source.items():
        items.append(item)
        if isinstance(item, Chunk):
            until_s = min(until_s, time.monotonic() + seconds)
        if time.monotonic() > until_s:
            source.stop()
    return items


def chunks(items: list[Chunk | Event]) -> list[Chunk]:
    return [item for item in items if isinstance(item, Chunk)]


def lost(items: list[Chunk | Event]) -> int:
    return sum(item.count for item in items if isinstance(item, SamplesLost))


def is_true(items: list[Chunk | Event]) -> bool:
    """Whether every sample that came lies where the sketch had taken it."""
    whole = [(c.start + i, mv) for c in chunks(items) for i, mv in enumerate(c.lead_mv) if math.isfinite(mv)]
    steps = np.rint(np.array([mv for _, mv in whole]) / 0.0008).astype(int)
    # Where the stream began among the samples of the sketch.
    for shift in range(len(ECG)):
        if all(value(at + shift) == step for (at, _), step in zip(whole, steps, strict=True)):
            return True
    return False


@pytest.mark.parametrize(
    ("line", "columns"),
    [(plain, ""), (counted, "&counter=1"), (timed, "&time=1"), (counted, "&counter=1&column=2")],
)
def test_lines_come_as_samples_in_mv_and_in_their_places(
    sketch: Callable[..., Sketch], line: Callable[[int], bytes], columns: str
) -> None:
    board = sketch(line)
    source = open_source(f"serial:{board.port}?{STATED}{columns}")
    info = source.open()
    assert (info.rate_hz, info.live, info.is_lead_i) == (250.0, True, False)
    items = taken(source, 1.0)
    assert is_true(items) and lost(items) == 0 and chunks(items)[-1].stop > 200
    said = [item for item in items if isinstance(item, Dropped | Notice)]
    assert [item.topic for item in said if isinstance(item, Notice)] == [Topic.CONNECTING] and len(said) == 1


@pytest.mark.parametrize(("line", "columns"), [(counted, "&counter=1"), (timed, "&time=1")])
def test_lines_that_are_lost_or_broken_are_counted_to_the_sample(
    sketch: Callable[..., Sketch], line: Callable[[int], bytes], columns: str
) -> None:
    gone = lambda k: k % 97 == 0 or k % 401 in range(30, 60)  # noqa: E731

    def bad(k: int) -> bytes:
        if gone(k):
            return line(k)[: k % 5]  # nothing, or a piece that runs into the next line
        return line(k)

    def broken(k: int) -> bool:
        return gone(k) or (gone(k - 1) and (k - 1) % 5 > 0)

    board = sketch(bad)
    source = open_source(f"serial:{board.port}?{STATED}{columns}")
    source.open()
    items = taken(source, 2.0)
    assert is_true(items)
    numbers = {c.start + i for c in chunks(items) for i in range(len(c.lead_mv))}
    assert lost(items) == chunks(items)[-1].stop - len(numbers) > 20


def test_a_broken_line_without_a_counter_is_one_missing_sample(sketch: Callable[..., Sketch]) -> None:
    board = sketch(lambda k: b"5x\xff2\n" if k % 50 == 7 else plain(k))
    source = open_source(f"serial:{board.port}?{STATED}")
    source.open()
    items = taken(source, 2.0)
    assert is_true(items) and lost(items) == 0
    assert sum(item.count for item in items if isinstance(item, Dropped)) >= 5


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        pytest.param(lambda k, off: b"!\n" if off else plain(k), "", marks=pytest.mark.long),
        pytest.param(
            lambda k, off: b"%d,!\n" % k if off else counted(k), "&counter=1", marks=pytest.mark.long
        ),
        (lambda k, off: b"!\n" if off else counted(k), "&counter=1"),
        pytest.param(lambda k, off: b"!\n" if off else timed(k), "&time=1", marks=pytest.mark.long),
        (lambda k, off: b"%d,0,%d\n" % (value(k), off), "&off=2,3"),
    ],
)
def test_an_electrode_that_is_off_is_said_and_its_samples_are_missing(
    sketch: Callable[..., Sketch], line: Callable[[int, bool], bytes], columns: str
) -> None:
    begun = [10**9]
    board = sketch(lambda k: line(k, 100 <= k - begun[0] < 200))
    source = open_source(f"serial:{board.port}?{STATED}{columns}")
    source.open()
    begun[0] = board.k
    items = taken(source, 2.4)
    assert [item.touches for item in items if isinstance(item, Contact)] == [False, True]
    assert is_true(items) and lost(items) == 0
    assert np.isnan(np.concatenate([c.lead_mv for c in chunks(items)])).sum() == 100


def test_unplugging_is_told_and_what_was_missed_is_estimated(sketch: Callable[..., Sketch]) -> None:
    board = sketch(plain, hello=b"ets Jul 29 2019\r\nrst:0x1 (POWERON_RESET)\r\n" * 5)
    source = SerialPort(f"{board.port}?{STATED}", patience=QUICK)
    source.open()

    def replug() -> None:
        time.sleep(1.0)
        board.unplug()
        time.sleep(1.2)
        board.plug()
        time.sleep(2.0)
        source.stop()

    threading.Thread(target=replug, daemon=True).start()
    items = list(source.items())
    states = [item.state for item in items if isinstance(item, StateChanged)]
    assert states.count(State.LIVE) == 2 and State.RECONNECTING in states and states[-1] is State.ENDED
    before, after = next(
        (a, b) for a, b in zip(chunks(items), chunks(items)[1:], strict=False) if b.start != a.stop
    )
    assert abs(lost(items) / 250 - (after.arrival_s - before.arrival_s)) < 0.1
    assert not [item for item in items if isinstance(item, Dropped)]  # how it starts is no sample


def test_a_counter_that_begins_again_after_a_reset_loses_no_place(sketch: Callable[..., Sketch]) -> None:
    board = sketch(counted)
    source = SerialPort(f"{board.port}?{STATED}&counter=1", patience=QUICK)
    source.open()
    reset = board.k + 250
    board.line = lambda k: counted(k) if k < reset else b"" if k < reset + 300 else counted(k - reset - 300)
    items = taken(source, 3.5)
    assert abs(lost(items) - 300) <= 15
    assert any("began again" in item.text for item in items if isinstance(item, Notice))


@pytest.mark.parametrize(
    ("line", "true_hz"),
    [
        (plain, 125.0),
        (counted, 500.0),
        pytest.param(plain, 500.0, marks=pytest.mark.long),
        pytest.param(counted, 125.0, marks=pytest.mark.long),
    ],
)
def test_another_rate_than_stated_ends_the_stream_with_the_true_one(
    sketch: Callable[..., Sketch],
    line: Callable[[int], bytes],
    true_hz: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("devices.live.counted.GROSS_S", 1.6)
    board = sketch(line, true_hz)
    source = open_source(f"serial:{board.port}?{STATED}{'&counter=1' if line is counted else ''}")
    source.open()
    with pytest.raises(InputError) as refused:
        taken(source, 12.0)
    said_hz = float(refused.value.line.split(" sends about ")[1].split()[0])
    assert refused.value.field is Field.RATE and abs(said_hz / true_hz - 1) < 0.02


@pytest.mark.parametrize(
    ("line", "columns", "other", "width", "replugged"),
    [
        pytest.param(plain, "", counted, 2, False, marks=pytest.mark.long),
        (counted, "&counter=1", plain, 1, True),
        pytest.param(plain, "", lambda k: b"1,2,3\n", 3, True, marks=pytest.mark.long),
    ],
)
def test_lines_that_have_other_columns_for_good_end_the_stream_in_a_line(
    sketch: Callable[..., Sketch],
    line: Callable[[int], bytes],
    columns: str,
    other: Callable[[int], bytes],
    width: int,
    replugged: bool,
) -> None:
    board = sketch(line)
    source = SerialPort(f"{board.port}?{STATED}{columns}", patience=QUICK)
    source.open()
    begins = board.k + 200
    board.line = lambda k: line(k) if k < begins else other(k)
    if replugged:

        def replug() -> None:
            while board.k < begins:
                time.sleep(0.01)
            board.unplug()
            time.sleep(0.5)
            board.plug()

        threading.Thread(target=replug, daemon=True).start()
    with pytest.raises(InputError, match=rf"lines of {width} columns, not of {3 - min(width, 2)}"):
        taken(source, 20.0)


def test_two_lines_in_one_for_a_while_are_no_other_sketch(sketch: Callable[..., Sketch]) -> None:
    board = sketch(counted)
    source = SerialPort(f"{board.port}?{STATED}&counter=1", patience=QUICK)
    source.open()
    begins = board.k + 100
    board.line = lambda k: (
        counted(k).rstrip() + b"," + counted(k) if begins < k < begins + 600 else counted(k)
    )
    assert len(chunks(taken(source, 4.5))) > 1


def test_a_time_column_shows_another_rate_at_once(sketch: Callable[..., Sketch]) -> None:
    board = sketch(lambda k: b"%d,%d\n" % (k * 5000, value(k)), 200.0)
    with pytest.raises(InputError, match="200") as refused:
        open_source(f"serial:{board.port}?{STATED}&time=1").open()
    assert refused.value.field is Field.RATE


@pytest.mark.parametrize(
    ("rest", "line", "field", "says"),
    [
        ("?uv=0.8", plain, Field.RATE, "rate=250"),
        ("?rate=250", plain, Field.UNIT, "uv=0.8"),
        ("?" + STATED, counted, None, "column="),
        ("?column=3&" + STATED, counted, None, "2 columns"),
        ("?column=1&counter=1&" + STATED, counted, None, "2 columns"),
        ("?counter=1&time=2&" + STATED, lambda k: b"%d,%d,%d\n" % (k, k, k), None, "leave one out"),
        ("?time=2&" + STATED, lambda k: b"%d,7\n" % k, None, "go up"),
        ("?" + STATED, lambda k: b"hello\n", None, "hello"),
        ("?" + STATED, lambda k: bytes([0x80 + k % 100, 0xF0, 0xC3]), None, "baud=9600"),
        ("?" + STATED, lambda k: b"", None, "nothing"),
    ],
)
def test_what_cannot_be_read_says_in_one_line_what_to_do(
    sketch: Callable[..., Sketch],
    rest: str,
    line: Callable[[int], bytes],
    field: Field | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(look, "LOOK_TIMEOUT_S", 1.5)
    board = sketch(line)
    with pytest.raises(InputError) as refused:
        open_source(f"serial:{board.port}{rest}").open()
    assert says in refused.value.line and refused.value.field is field and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"serial:/dev/no-such-port?{STATED}", "no such port"),
        (f"serial:/dev/null?{STATED}", "cannot be opened"),
        ("serial:/dev/ttyS0?rate=50", "rate=50"),
        ("serial:/dev/ttyS0?speed=9600", "speed"),
        ("serial:/dev/ttyS0?uv=-1", "uv=-1"),
    ],
)
def test_a_port_or_parameter_that_is_wrong_says_so(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_source(text).open()


def test_a_port_is_open_once(sketch: Callable[..., Sketch]) -> None:
    board = sketch()
    first = open_source(f"serial:{board.port}?{STATED}")
    first.open()
    with pytest.raises(InputError, match="another program"):
        open_source(f"serial:{board.port}?{STATED}").open()
    first.stop()
    second = open_source(f"serial:{board.port}?{STATED}")
    second.open()
    second.stop()
