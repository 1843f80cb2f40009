# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that share the thread of their cores, and sinks that take everything at once."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from streamer.core.events import Failed, Marker
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.session.core_thread import CoreThread
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from tests.streamer.session.test_session import RATE_HZ, Listed, Recorder, chunks


class Broken:
    """A core that fails at once."""

    lost = 0

    def push(self, chunk: Chunk) -> list[Frame]:
        raise ValueError("broken")

    def finish(self) -> list[Frame]:
        return []


def session_in(
    cores: CoreThread, source: Listed, network: Network, *, live: bool = False, broken: bool = False
) -> Session:
    info = StreamInfo("test:", RATE_HZ, live=live)
    pipeline = Pipeline(info, network)
    description = SessionDescription.of(info, network.spec, pipeline.latency)
    return Session(source, Broken() if broken else pipeline, description, core_thread=cores)


def leads_of(items: list[Chunk], network: Network) -> np.ndarray:  # type: ignore[type-arg]
    pipeline = Pipeline(StreamInfo("test:", RATE_HZ), network)
    frames = [frame for chunk in items for frame in pipeline.push(chunk)] + pipeline.finish()
    return np.concatenate([frame.leads_mv for frame in frames], axis=1)


@pytest.mark.parametrize("at_once", [False, True])
def test_each_session_gets_what_a_thread_of_its_own_would_make_bit_for_bit(
    network: Network, at_once: bool
) -> None:
    cores, items = CoreThread(), [chunks(count) for count in (1, 64, 100, 300)]
    sinks = [Recorder() for _ in items]
    sessions = [session_in(cores, Listed(list(each)), network) for each in items]
    for session, sink in zip(sessions, sinks, strict=True):
        session.attach(sink, at_once=at_once)
        session.start()
    assert all(session.wait(20) for session in sessions)
    for session, sink, each in zip(sessions, sinks, items, strict=True):
        assert np.array_equal(sink.leads_mv(), leads_of(each, network))
        assert np.array_equal(sink.raw_mv(), np.concatenate([chunk.lead_mv for chunk in each]))
        assert sink.closed == 1 and session.report().dropped == {} and not session.report().failures


def test_a_core_that_fails_ends_its_own_session_alone(network: Network) -> None:
    cores, items = CoreThread(), chunks(300)
    bad = session_in(cores, Listed(list(items), ends=False), network, broken=True)
    good, sink = session_in(cores, Listed(list(items)), network), Recorder()
    good.attach(sink)
    bad.start()
    good.start()
    assert bad.wait(20) and good.wait(20)
    assert set(bad.report().failures) == {"core"} and not good.report().failures
    assert np.array_equal(sink.leads_mv(), leads_of(items, network))


def test_a_session_that_is_stopped_ends_and_leaves_the_others_running(network: Network) -> None:
    cores = CoreThread()
    stopped = session_in(cores, Listed(list(chunks(50)), ends=False), network, live=True)
    runs = session_in(cores, Listed(list(chunks(50)), ends=False), network, live=True)
    for session in (stopped, runs):
        session.start()
    stopped.stop()
    assert stopped.wait(5) and not runs.wait(0.2)
    runs.stop()
    assert runs.wait(5)
    session = session_in(cores, Listed(list(chunks(5))), network)  # after the last has ended, too
    session.start()
    assert session.wait(20) and session.report().samples_in == 50


def test_a_sink_that_takes_at_once_hears_first_what_was_told_before_it_was_ready(network: Network) -> None:
    class Talks(Recorder):
        def open(self, description: SessionDescription) -> None:
            super().open(description)
            session.tell(Marker("early"))

    session = session_in(CoreThread(), Listed(list(chunks(50))), network)
    session.attach(Talks("talks"))
    sink = Recorder()
    session.attach(sink, at_once=True)
    session.run()
    assert isinstance(sink.got[0], Marker) and len(sink.of(Marker)) == 1


def test_a_sink_that_takes_at_once_and_fails_is_named_and_costs_the_others_nothing(network: Network) -> None:
    items = chunks(100)
    session = session_in(CoreThread(), Listed(list(items)), network)
    bad, good = Recorder("bad"), Recorder("good")
    bad.raises_at = 7
    session.attach(bad, at_once=True)
    session.attach(good)
    report = session.run()
    assert set(report.failures) == {"bad"} and bad.closed == 1
    assert [event.part for event in good.of(Failed)] == ["bad"]
    assert np.array_equal(good.leads_mv(), leads_of(items, network))


def test_sessions_of_all_kinds_share_few_threads(network: Network) -> None:
    cores = CoreThread()
    sessions = [session_in(cores, Listed(list(chunks(5)), ends=False), network) for _ in range(6)]
    before = threading.active_count()
    for session in sessions:
        session.attach(Recorder(), at_once=True)
        session.start()
    time.sleep(0.1)
    assert threading.active_count() <= before + 2 * len(sessions) + 1
    for session in sessions:
        session.stop()
    assert all(session.wait(5) for session in sessions)
