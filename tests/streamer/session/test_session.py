# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with the real core, real threads, and sinks and sources that misbehave."""

import io
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from streamer.core.errors import InputError
from streamer.core.events import Dropped, Event, Failed, Marker, State, StateChanged
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.session import session as run_time
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from streamer.session.sink import Overflow
from streamer.session.status_line import StatusLine

RATE_HZ = 500.0


def chunks(count: int, size: int = 10) -> list[Chunk]:
    mv = np.random.default_rng(1).normal(0, 0.3, count * size).astype(np.float32)
    return [Chunk(i * size, mv[i * size : (i + 1) * size]) for i in range(count)]


class Listed:
    """A source of given items; then it ends, or stays silent until it is stopped."""

    def __init__(self, items: list[Chunk | Event], *, ends: bool = True, obeys: bool = True) -> None:
        self._items = items
        self._ends = ends
        self._obeys = obeys
        self._stopped = threading.Event()

    def items(self) -> Iterator[Chunk | Event]:
        for item in self._items:
            if isinstance(item, Chunk):
                now = time.monotonic()
                item = Chunk(item.start, item.lead_mv, now, now)
            yield item
        if not self._ends:
            self._stopped.wait(None if self._obeys else 5.0)

    def stop(self) -> None:
        if self._obeys:
            self._stopped.set()


class Recorder:
    """Keeps everything; can be made to hang or to raise."""

    def __init__(self, name: str = "recorder") -> None:
        self.name = name
        self.got: list[Chunk | Frame | Event] = []
        self.opened = self.closed = 0
        self.free = threading.Event()
        self.free.set()
        self.raises_at = -1

    def open(self, description: SessionDescription) -> None:
        self.opened += 1

    def _take(self, item: Chunk | Frame | Event) -> None:
        self.free.wait()
        if len(self.got) == self.raises_at:
            raise OSError(28, "No space left on device")
        self.got.append(item)

    chunk = frame = event = _take

    def close(self) -> None:
        self.closed += 1

    def of(self, kind: type) -> list:  # type: ignore[type-arg]
        return [item for item in self.got if isinstance(item, kind)]

    def leads_mv(self) -> np.ndarray:  # type: ignore[type-arg]
        return np.concatenate([frame.leads_mv for frame in self.of(Frame)], axis=1)

    def raw_mv(self) -> np.ndarray:  # type: ignore[type-arg]
        return np.concatenate([chunk.lead_mv for chunk in self.of(Chunk)])


def session_of(source: Listed, network: Network, *, live: bool = False) -> Session:
    info = StreamInfo("test:", RATE_HZ, live=live)
    pipeline = Pipeline(info, network)
    return Session(source, pipeline, SessionDescription.of(info, network.spec, pipeline.latency))


def test_sinks_get_what_the_core_makes_bit_for_bit_and_raw_chunks_beside_it(network: Network) -> None:
    items = chunks(300)
    first, second = Recorder("first"), Recorder("second")
    session = session_of(Listed(list(items)), network)
    session.attach(first)
    session.attach(second)
    report = session.run()

    pipeline = Pipeline(StreamInfo("test:", RATE_HZ), network)
    frames = [frame for chunk in items for frame in pipeline.push(chunk)] + pipeline.finish()
    truth = np.concatenate([frame.leads_mv for frame in frames], axis=1)
    for sink in (first, second):
        assert np.array_equal(sink.leads_mv(), truth)
        assert np.array_equal(sink.raw_mv(), np.concatenate([chunk.lead_mv for chunk in items]))
        assert sink.closed == 1
    assert (report.samples_in, report.samples_out, report.lost) == (3000, 1500, 0)
    assert report.dropped == {}
    assert report.failures == {}
    assert report.left_behind == ()


def test_a_raw_chunk_comes_before_the_frames_that_it_completes(network: Network) -> None:
    sink = Recorder()
    session = session_of(Listed(list(chunks(100))), network)
    session.attach(sink)
    session.run()
    received = 0
    for item in sink.got:
        if isinstance(item, Chunk):
            received = item.stop
        elif isinstance(item, Frame):
            assert item.stop * 2 <= received + 1


def test_a_stuck_display_costs_a_recorder_nothing_and_is_told(network: Network) -> None:
    items = chunks(3 * run_time.DEPTH[Overflow.DROP_OLDEST])
    recorder, window = Recorder(), Recorder("window")
    window.free.clear()
    marked: list[Chunk | Event] = [*items]
    marked[100:100] = [Marker("one"), Marker("other")]
    session = session_of(Listed(marked), network)
    session.attach(recorder)
    session.attach(window, Overflow.DROP_OLDEST)
    session.start()
    deadline = time.monotonic() + 30
    while len(recorder.of(Chunk)) < len(items) and time.monotonic() < deadline:
        time.sleep(0.02)
    window.free.set()
    assert session.wait(30)
    assert np.array_equal(recorder.raw_mv(), np.concatenate([chunk.lead_mv for chunk in items]))
    assert recorder.leads_mv().shape[1] == len(items) * 5

    report = session.report()
    assert set(report.dropped) == {"window"}
    dropped = report.dropped["window"]
    assert dropped["Chunk"] + len(window.of(Chunk)) == len(items)
    assert dropped.get("Frame", 0) + len(window.of(Frame)) == len(recorder.of(Frame))
    assert dropped["Event"] >= 2 - len(window.of(Marker)) and set(dropped) <= {"Chunk", "Frame", "Event"}
    told = recorder.of(Dropped)
    assert sum(event.count for event in told) == sum(dropped.values())
    assert "window" in told[0].text


def test_a_slow_file_makes_a_replay_wait_and_loses_nothing(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(run_time.DEPTH, Overflow.BLOCK, 8)
    items = chunks(200)
    slow = Recorder()
    take = slow.frame
    slow.frame = lambda frame: (time.sleep(0.002), take(frame))  # type: ignore[method-assign]
    session = session_of(Listed(list(items)), network)
    session.attach(slow)
    report = session.run()
    assert slow.leads_mv().shape[1] == 1000
    assert report.dropped == {}


def test_a_live_source_never_waits_and_what_is_dropped_is_counted(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(run_time.DEPTH, Overflow.BLOCK, 50)

    class Burst(Listed):
        def items(self) -> Iterator[Chunk | Event]:
            for i, item in enumerate(super().items()):
                if i == 1:
                    time.sleep(0.2)  # the core has the first chunk: from here on, what is missing is lost
                yield item

    stuck = Recorder("stuck")
    stuck.free.clear()
    session = session_of(Burst(list(chunks(1000))), network, live=True)
    session.attach(stuck)
    session.start()
    time.sleep(0.5)
    stuck.free.set()
    assert session.wait(20)
    report = session.report()
    assert report.samples_in == 10_000
    assert report.dropped["stuck"]["Chunk"] + len(stuck.of(Chunk)) == 1000
    core_dropped = report.dropped.get("core", {}).get("Chunk", 0)
    assert report.lost == 10 * core_dropped


def test_a_sink_that_raises_is_closed_and_told_once_and_the_others_go_on(network: Network) -> None:
    items = chunks(200)
    bad, good = Recorder("bad disk"), Recorder("good")
    bad.raises_at = 17
    session = session_of(Listed(list(items)), network)
    session.attach(bad)
    session.attach(good)
    report = session.run()
    assert bad.closed == 1
    assert len(bad.got) == 17
    assert good.leads_mv().shape[1] == 1000
    failed = good.of(Failed)
    assert len(failed) == 1
    assert failed[0].part == "bad disk"
    assert "No space left" in failed[0].why
    assert isinstance(report.failures["bad disk"], OSError)


def test_without_a_vital_sink_the_session_ends(network: Network) -> None:
    vital, other = Recorder("vital"), Recorder("other")
    vital.raises_at = 3
    session = session_of(Listed(list(chunks(50)), ends=False), network)
    session.attach(vital, vital=True)
    session.attach(other)
    session.start()
    assert session.wait(2.0)
    assert other.closed == 1


@pytest.mark.parametrize("obeys", [True, False])
def test_stop_takes_less_than_two_seconds_whoever_is_stuck(network: Network, obeys: bool) -> None:
    stuck, good = Recorder("stuck"), Recorder("good")
    stuck.free.clear()
    items = chunks(100)
    session = session_of(Listed(list(items), ends=False, obeys=obeys), network)
    session.attach(stuck)
    session.attach(good)
    session.start()
    time.sleep(0.3)
    began = time.monotonic()
    session.stop()
    session.stop()
    assert session.wait(5.0)
    assert time.monotonic() - began < 2.0
    assert good.closed == 1
    assert good.leads_mv().shape[1] == 500  # flushed
    report = session.report()
    assert "stuck" in report.left_behind
    assert ("source" in report.left_behind) is not obeys
    stuck.free.set()


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_model_that_hangs_is_left_behind_and_the_recording_closed(
    comes_back: bool, network: Network
) -> None:
    free = threading.Event()

    class Hanging(Pipeline):
        def push(self, chunk: Chunk) -> list[Frame]:
            if chunk.start >= 500:
                free.wait(10)
            return super().push(chunk)

    info = StreamInfo("test", RATE_HZ)
    core = Hanging(info, network)
    description = SessionDescription.of(info, network.spec, core.latency)
    session = Session(Listed(list(chunks(100)), ends=False), core, description)
    good = Recorder("good")
    session.attach(good)
    session.start()
    time.sleep(0.3)
    began = time.monotonic()
    session.stop()
    assert session.wait(5.0)
    assert time.monotonic() - began < 2.2
    assert good.closed == 1
    assert good.leads_mv().shape[1] > 200  # all that was made
    assert "core" in session.report().left_behind
    if comes_back:  # too late: nothing more happens
        free.set()
        time.sleep(0.3)
        assert good.closed == 1
    free.set()


def test_what_ends_the_source_is_reported_after_a_clean_end(network: Network) -> None:
    class Broken(Listed):
        def items(self) -> Iterator[Chunk | Event]:
            yield from super().items()
            raise InputError("the record became unreadable")

    sink = Recorder()
    session = session_of(Broken(list(chunks(100))), network)
    session.attach(sink)
    report = session.run()
    assert str(report.failures["source"]) == "the record became unreadable"
    assert sink.leads_mv().shape[1] == 500
    assert sink.closed == 1


def test_a_fault_of_the_core_ends_the_session_and_is_reported(network: Network) -> None:
    first, second, *_ = chunks(3)
    sink = Recorder()
    session = session_of(Listed([second, first], ends=False), network)
    session.attach(sink)
    session.start()
    assert session.wait(2.0)
    assert isinstance(session.report().failures["core"], ValueError)
    assert sink.closed == 1


def test_where_a_sink_cannot_be_opened_nothing_starts_and_the_others_are_closed(network: Network) -> None:
    class Locked(Recorder):
        def open(self, description: SessionDescription) -> None:
            raise InputError("there is a record already")

    first, locked = Recorder(), Locked()
    session = session_of(Listed(list(chunks(3))), network)
    session.attach(first)
    session.attach(locked)
    with pytest.raises(InputError, match="already"):
        session.start()
    assert (first.opened, first.closed, first.got) == (1, 1, [])


def test_latency_is_told_by_stage_and_adds_up(network: Network) -> None:
    slow = Recorder("slow")
    take = slow.frame
    slow.frame = lambda frame: (time.sleep(0.01), take(frame))  # type: ignore[method-assign]
    session = session_of(Listed(list(chunks(20))), network)
    quick = Recorder("quick")
    session.attach(quick)
    session.attach(slow)
    summary = session.run().latency_summary()
    assert set(summary["algorithmic_ms"]) >= {"look_ahead", "overlap", "hop", "rate_conversion", "total"}
    assert set(summary["stages_ms"]) == {"core", "quick", "slow"}
    assert summary["end_to_end_sink"] == "slow"
    end, slow_stage = summary["end_to_end_ms"], summary["stages_ms"]["slow"]
    assert end["count"] == slow_stage["count"] == len(quick.of(Frame))
    assert end["p50"] >= slow_stage["p50"] >= 10
    assert summary["samples"] == {"in": 200, "out": 100, "lost": 0}


def test_the_status_line_counts_gaps_and_gives_events_their_own_line(network: Network) -> None:
    before, gone, after = chunks(3, 250)
    out = io.StringIO()
    ended = StateChanged(State.ENDED, "the recording has ended", host_s=0.0)
    session = session_of(Listed([before, after, ended]), network)
    session.attach(StatusLine(out, lambda: session.report().lost))
    session.run()
    lines = out.getvalue().splitlines()
    assert "the recording has ended" in lines
    assert lines[-1].startswith("REPLAY, ended | 500 Hz | 1.5 s | HR -- | quality -- | lost 250 | latency ")
    assert "\r" not in out.getvalue()
    assert gone.start == before.stop
