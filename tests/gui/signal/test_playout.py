# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gui.signal.playout import CATCH_UP_S, MEMORY_S, SLEW, PlayoutBuffer

RATE_HZ = 250.0
TICK_S = 1 / 30


def run(
    packets: list[tuple[float, int, int]], until_s: float
) -> tuple[PlayoutBuffer, list[tuple[float, float, float]]]:
    """Feed packets at their times, asking thirty times a second: (now, edge, newest)."""
    playout = PlayoutBuffer(RATE_HZ)
    waiting = list(packets)
    newest_s, seen = math.nan, []
    for now_s in np.arange(packets[0][0], until_s, TICK_S):
        while waiting and waiting[0][0] <= now_s:
            at_s, start, stop = waiting.pop(0)
            playout.arrived(at_s, start, stop)
            newest_s = stop / RATE_HZ
        seen.append((float(now_s), playout.edge_s(float(now_s)), newest_s))
    return playout, seen


def steady(n: int, spacing_s: float, count: int, jitter_s: float = 0.0) -> list[tuple[float, int, int]]:
    rng = np.random.default_rng(0)
    return sorted(
        (100.0 + k * spacing_s + float(rng.uniform(0, jitter_s)), k * n, (k + 1) * n) for k in range(count)
    )


def test_before_the_first_packet_there_is_no_edge() -> None:
    assert math.isnan(PlayoutBuffer(RATE_HZ).edge_s(1.0))
    assert PlayoutBuffer(RATE_HZ).display_delay_s == 0.0


@pytest.mark.parametrize(
    ("n", "spacing_s", "jitter_s"), [(5, 0.02, 0.0), (5, 0.02, 0.01), (25, 0.1, 0.03), (140, 0.56, 0.05)]
)
def test_the_edge_moves_with_time_and_never_passes_the_data(
    n: int, spacing_s: float, jitter_s: float
) -> None:
    _, seen = run(steady(n, spacing_s, round(30 / spacing_s), jitter_s), 130.0)
    settled = [(now, edge, newest) for now, edge, newest in seen if now > 112.0]
    assert all(edge <= newest + 1e-9 for _, edge, newest in seen)
    steps = np.diff([edge for _, edge, _ in settled])
    assert steps.min() >= TICK_S * (1 - SLEW) - 1e-6
    assert steps.max() <= TICK_S * (1 + SLEW) + 1e-6


@pytest.mark.parametrize(("n", "spacing_s"), [(5, 0.02), (25, 0.1), (140, 0.56)])
def test_the_display_delay_is_the_spacing_of_regular_packets(n: int, spacing_s: float) -> None:
    playout, seen = run(steady(n, spacing_s, round(30 / spacing_s)), 125.0)
    assert playout.display_delay_s == pytest.approx(spacing_s, abs=0.003)
    now_s, edge_s, _ = seen[-1]
    assert now_s - 100.0 - edge_s == pytest.approx(0.0, abs=0.01)


def test_frames_of_one_packet_count_once() -> None:
    packets = [
        (100.0 + k * 0.56 + j * 0.0004, k * 140 + j * 5, k * 140 + (j + 1) * 5)
        for k in range(40)
        for j in range(28)
    ]
    playout, _ = run(packets, 122.0)
    assert playout.display_delay_s == pytest.approx(0.56, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(
    stall_s=st.floats(0.1, 2.0),
    spacing=st.sampled_from([(5, 0.02), (25, 0.1), (140, 0.56)]),
    apart_s=st.sampled_from([1e-4, 2e-3, 6e-3]),
)
def test_a_stall_holds_the_edge_and_is_caught_up_within_a_second_without_a_leap(
    stall_s: float, spacing: tuple[int, float], apart_s: float
) -> None:
    """Nothing is lost: what was sent meanwhile comes one after the other."""
    n, spacing_s = spacing
    stall_s = min(stall_s, 1.99 - spacing_s)  # after a longer silence it leaps
    packets = []
    free_s = -math.inf
    for at_s, start, stop in steady(n, spacing_s, round(20 / spacing_s)):
        came_s = max(at_s if not 112.0 <= at_s < 112.0 + stall_s else 112.0 + stall_s, free_s + apart_s)
        free_s = came_s
        packets.append((came_s, start, stop))
    _, seen = run(packets, 119.0)
    assert all(edge <= newest + 1e-9 for _, edge, newest in seen)
    steps = np.diff([edge for _, edge, _ in seen])
    assert steps.min() >= -1e-9
    assert steps.max() <= TICK_S * (1 + SLEW + (stall_s + spacing_s) / CATCH_UP_S)
    usual_s = max(now - edge for now, edge, _ in seen if 108.0 < now < 111.9)
    returned_s = 112.0 + stall_s + spacing_s + stall_s / spacing_s * apart_s
    assert all(now - edge <= usual_s + 0.3 for now, edge, _ in seen if now > returned_s + 1.0)


def test_stalls_that_come_again_and_again_are_how_the_link_is() -> None:
    """The picture then runs smoothly, late as they are, instead of stumbling over each."""
    packets = []
    for at_s, start, stop in steady(5, 0.02, 2500):
        into_s = at_s % 2.0
        packets.append((at_s + 0.5 - into_s + 1e-4 * into_s if into_s < 0.5 else at_s, start, stop))
    playout, seen = run(packets, 149.0)
    settled = [edge for now, edge, _ in seen if now > 125.0]
    assert np.diff(settled).min() > 0.0
    assert 0.4 < playout.display_delay_s < 0.7


def test_after_a_break_the_edge_starts_afresh() -> None:
    """A paused replay goes on at the same index, ten seconds later."""
    first = steady(5, 0.02, 500)
    after = [(at + 20.0, a + 2500, b + 2500) for at, a, b in first]
    playout, seen = run(first + after, 129.0)
    assert playout.display_delay_s < 0.05
    resumed = [(edge, newest) for now, edge, newest in seen if now > 120.1]
    assert all(0 <= newest - edge < 0.1 for edge, newest in resumed)


def test_lost_samples_do_not_add_to_the_display_delay() -> None:
    packets = [(at, a, b) for at, a, b in steady(5, 0.02, 1000) if not 110.0 <= at < 111.5]
    playout, seen = run(packets, 119.9)
    assert playout.display_delay_s == pytest.approx(0.02, abs=0.005)
    assert all(edge <= newest + 1e-9 for _, edge, newest in seen)


@settings(max_examples=40, deadline=None)
@given(
    gap_s=st.one_of(st.floats(0.1, 5.0), st.floats(5.0, 3600.0)),
    spacing=st.sampled_from([(5, 0.02), (25, 0.1), (140, 0.56)]),
    kept=st.booleans(),
)
def test_after_any_gap_the_picture_is_late_by_no_more_than_before(
    gap_s: float, spacing: tuple[int, float], kept: bool
) -> None:
    """The samples are lost, or come at once."""
    n, spacing_s = spacing
    begins = round(15 / spacing_s)
    ends = begins + max(1, math.ceil(gap_s / spacing_s))
    tail = n * begins - 10  # the last 10 samples wait for what follows them
    packets = [(at, a, min(b, tail)) for at, a, b in steady(n, spacing_s, begins) if a < tail]
    at_s = 100.0 + ends * spacing_s
    packets.append((at_s, tail, n * begins))
    if kept:  # in a tenth of a second
        missed = range(begins, ends)
        packets += [(at_s + 0.1 * (k - begins) / len(missed), n * k, n * (k + 1)) for k in missed]
    packets += [
        (at_s + 0.1 * kept + 1e-4 + (k - ends) * spacing_s, n * k, n * (k + 1))
        for k in range(ends, ends + round(5 / spacing_s))
    ]
    playout, newest_s, last_s, usual_s = PlayoutBuffer(RATE_HZ), math.nan, -math.inf, math.nan
    for now_s in [*np.arange(100.0, 114.0, TICK_S), *np.arange(at_s - 0.05, at_s + 4.0, TICK_S)]:
        while packets and packets[0][0] <= now_s:
            came_s, start, stop = packets.pop(0)
            playout.arrived(came_s, start, stop)
            newest_s = stop / RATE_HZ
        edge_s = playout.edge_s(float(now_s))
        assert last_s - 1e-9 <= edge_s <= newest_s + 1e-9, "it runs neither back nor ahead"
        last_s = edge_s
        if now_s < 114.0:
            usual_s = now_s - edge_s
        elif now_s > at_s + 1.0:
            assert now_s - edge_s <= usual_s + 0.3
            assert newest_s - edge_s <= playout.display_delay_s + 0.05, "what is said is what is there"
            assert playout.display_delay_s <= spacing_s + 0.3


def test_where_nothing_comes_the_edge_stands_still_at_the_newest_sample_at_once() -> None:
    playout, seen = run(steady(25, 0.1, 200), 119.95)
    delay_s = playout.display_delay_s
    stood = [playout.edge_s(now_s) for now_s in np.arange(120.1, 180.0, TICK_S)]
    assert np.ptp(stood) == pytest.approx(0.0, abs=1e-9) and stood[0] == pytest.approx(seen[-1][2])
    assert playout.display_delay_s == pytest.approx(delay_s), "which is no longer delay of the display"


def test_a_clock_that_runs_off_does_not_grow_the_display_delay() -> None:
    """A strap at 128 Hz that says 130."""
    for off in (0.985, 1.015):
        packets = [(100.0 + k * 0.1 * off, k * 25, (k + 1) * 25) for k in range(3000)]
        playout, _ = run(packets, 390.0)
        assert playout.display_delay_s < 0.1 + 0.02 * MEMORY_S


def test_a_stream_that_begins_again_is_followed() -> None:
    first = steady(5, 0.02, 500)
    again = [(at + 10.02, a, b) for at, a, b in first]
    _, seen = run(first + again, 119.0)
    assert seen[-1][2] - seen[-1][1] < 0.1
