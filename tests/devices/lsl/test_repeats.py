"""Samples that come twice with the same stamps are dropped, and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.lsl.repeats import Repeats


@settings(max_examples=100, deadline=None)
@given(
    packets=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 2)), min_size=2, max_size=40),
    late=st.integers(0, 2),
    quiet=st.booleans(),
    sizes=st.integers(1, 30),
)
def test_copies_of_packets_are_dropped_however_late_they_come(
    packets: list[tuple[int, int]], late: int, quiet: bool, sizes: int
) -> None:
    """Each sample has its own stamp; a copy may come some packets later; the signal may be all zeros."""
    sent: list[list[tuple[float, float]]] = []
    k = 0
    for n, copies in packets:
        packet = [(0.0 if quiet else float(i * i % 97), i / 250) for i in range(k, k + n)]
        k += n
        for copy in range(copies + 1):
            sent.insert(len(sent) - min(late * copy, len(sent)) if copy == 0 else len(sent), packet)
    heard: list[float] = []
    repeats = Repeats()
    flat = [sample for packet in sent for sample in packet]
    for i in range(0, len(flat), sizes):
        rows, stamps = repeats.without(
            np.array([[v] for v, _ in flat[i : i + sizes]]), np.array([s for _, s in flat[i : i + sizes]])
        )
        assert len(rows) == len(stamps)
        heard += stamps.tolist()
    assert len(heard) == k and sorted(heard) == [i / 250 for i in range(k)]
    assert repeats.count == len(flat) - k


@settings(max_examples=100, deadline=None)
@given(
    packet=st.integers(2, 80),
    copied=st.lists(st.booleans(), min_size=3, max_size=20),
    whole=st.booleans(),
)
def test_of_packets_with_one_stamp_each_a_copy_is_dropped_and_a_quiet_signal_stays(
    packet: int, copied: list[bool], whole: bool
) -> None:
    rng = np.random.default_rng(packet)
    repeats, kept = Repeats(), 0
    for k, twice in enumerate(copied):
        rows, stamps = rng.normal(size=(packet, 1)), np.full(packet, k * 0.5)
        pulls = [(rows, stamps)] * (1 + twice)
        if whole and twice:
            pulls = [(np.concatenate((rows, rows)), np.concatenate((stamps, stamps)))]
        kept += sum(len(repeats.without(*pull)[1]) for pull in pulls)
    assert kept == packet * len(copied) and repeats.count == packet * sum(copied)
    for k in range(5):
        quiet = repeats.without(np.zeros((packet, 1)), np.full(packet, 1000.0 + k))
        assert len(quiet[1]) == packet
