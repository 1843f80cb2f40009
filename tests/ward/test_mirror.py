# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirror says what its bed says, whatever is reported when."""

from __future__ import annotations

import math
import pickle
import time
from multiprocessing.reduction import ForkingPickler

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import mecg.app.ward_processes  # noqa: F401 - lets descriptions be sent
from streamer.core.events import Alarm, AlarmKind, Beat, Event, State, StateChanged
from streamer.core.network.network import Network
from tests.ward.a_bed import a_description, a_frame
from ward.bed import OLD_S, Bed
from ward.mirror import MirroredBed, Report, Reporter
from ward.samples import FLAGS, ROWS


def sent(report: Report | None) -> Report:
    assert report is not None
    received = pickle.loads(bytes(ForkingPickler.dumps(report)))
    assert isinstance(received, Report)
    return received


def a_pair(network: Network) -> tuple[Bed, Reporter, MirroredBed, list[Event]]:
    bed, told = Bed(3, "Bed 3"), []
    mirror = MirroredBed(bed.status(0.0), lambda: told.append(StateChanged(State.LIVE, "silence")))
    bed.sink(told.append).open(a_description(network))
    return bed, Reporter(bed, lambda: ()), mirror, told


@settings(deadline=None)  # the machine may be busy
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 300), st.integers(1, 200), st.booleans()), min_size=1, max_size=20
    )
)
def test_the_mirror_has_the_samples_of_the_bed(network: Network, steps: list[tuple[int, int, bool]]) -> None:
    bed, reporter, mirror, _ = a_pair(network)
    at = 100
    for k, (gap, count, reports) in enumerate(steps):
        at += gap
        bed.frame(a_frame(at, count, level_mv=1e-3 * (k + 1)))
        at += count
        if reports or k == len(steps) - 1:
            report = reporter.report(time.monotonic())
            if report is not None:
                mirror.take(sent(report))
    epoch, stop = mirror.cursor()
    assert (epoch, stop) == bed.cursor()
    start = max(mirror.cursor(1.0)[1], bed.cursor(1.0)[1])
    mine, theirs = mirror.piece(range(ROWS), start, stop), bed.piece(range(ROWS), start, stop)
    assert mine is not None and theirs is not None
    if steps[-1][1] + steps[-1][0] < 200:  # what was made up for reaches as far back
        assert np.array_equal(mine.uv[:FLAGS], theirs.uv[:FLAGS])
    assert (mine.start, mine.rate_hz, mine.came_s) == (theirs.start, theirs.rate_hz, theirs.came_s)


def test_the_mirror_stands_as_the_bed_does_and_ages_by_itself(network: Network) -> None:
    bed, reporter, mirror, _ = a_pair(network)
    bed.frame(a_frame(0))
    bed.event(Beat(72.0, at_s=0.0))
    bed.event(Alarm(AlarmKind.LOW_RATE, True, "39 bpm, below 50"))
    now_s = time.monotonic()
    mirror.take(sent(reporter.report(now_s)))
    assert mirror.status(now_s) == bed.status(now_s)
    bed.frame(a_frame(5))
    later = sent(reporter.report(now_s + 1))
    assert later.status is not None and later.status.description is None  # it was reported already
    mirror.take(later)
    assert mirror.status(now_s).description == bed.status(now_s).description
    old = mirror.status(now_s + OLD_S + 2)
    assert old.old and math.isnan(old.bpm)


def test_nothing_is_reported_if_nothing_is_new(network: Network) -> None:
    bed, reporter, _, _ = a_pair(network)
    bed.frame(a_frame(0))
    now_s = time.monotonic()
    assert reporter.report(now_s) is not None and reporter.report(now_s + 0.01) is None
    bed.event(Alarm(AlarmKind.LOW_RATE, True, "39 bpm, below 50"))
    assert reporter.report(now_s + 0.02) is not None


def test_after_its_process_has_ended_a_bed_goes_on_with_higher_epochs(network: Network) -> None:
    bed, reporter, mirror, _ = a_pair(network)
    bed.frame(a_frame(0))
    mirror.take(sent(reporter.report(time.monotonic())))
    before = mirror.cursor()[0]
    mirror.lose("the process has ended")
    assert mirror.status(0).state is State.RECONNECTING and mirror.piece([0], 0, 10) is None
    again, reporter, _, _ = a_pair(network)
    again.frame(a_frame(0))
    mirror.take(sent(reporter.report(time.monotonic())))
    assert mirror.cursor()[0] > before and mirror.piece([0], 0, 10) is not None


def test_silence_is_asked_for_only_if_something_sounds(network: Network) -> None:
    bed, reporter, mirror, told = a_pair(network)
    assert not mirror.silence()
    bed.event(Alarm(AlarmKind.LOW_RATE, True, "39 bpm, below 50"))
    mirror.take(sent(reporter.report(time.monotonic())))
    assert mirror.silence() and len(told) == 1
