# SPDX-License-Identifier: GPL-3.0-or-later
"""The ring holds what came, where it came, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.compiled import compiled
from streamer.core.network.network import Network
from tests.ward.a_bed import a_description, a_frame
from ward import samples
from ward.samples import FLAGS, HALF_WIDTH, KEPT_S, MEASURED, MISSING, SampleRing, to_microvolts


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.floats(width=32), max_size=40))
def test_microvolts_are_the_nearest_whole_ones_and_only_nan_and_infinity_are_missing(mv: list[float]) -> None:
    given_mv = np.array(mv, np.float32)
    uv = to_microvolts(given_mv).astype(float)
    known = np.isfinite(given_mv)
    assert (uv[~known] == MISSING).all() and (uv[known] != MISSING).all()
    inside = known & (np.abs(given_mv) < 32.7)
    assert np.abs(uv[inside] - 1e3 * given_mv[inside].astype(float)).max(initial=0) <= 0.51


@settings(deadline=None)  # the machine may be busy
@given(
    pieces=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 700)), min_size=1, max_size=30),
    asked=st.integers(0, 60),
)
def test_the_ring_equals_the_end_of_the_whole_stream(
    network: Network, pieces: list[tuple[int, int]], asked: int
) -> None:
    ring = SampleRing(a_description(network))
    whole: dict[int, int] = {}
    at = 1000
    for k, (gap, count) in enumerate(pieces):
        at += gap
        level_mv = 1e-3 * (k + 1)
        ring.add(a_frame(at, count, level_mv=level_mv), untrusted=False)
        whole |= dict.fromkeys(range(at, at + count), 2 * (k + 1))
        at += count
        if k % 7 == asked % 7:
            assert ring.span[1] == at
    first, stop = ring.span
    assert stop == at and stop - first <= KEPT_S * 250
    assert list(ring.rows([1], first, stop)[0]) == [whole.get(i, MISSING) for i in range(first, stop)]


@settings(max_examples=40, deadline=None)
@given(
    begin=st.integers(-7000, 7000),
    pieces=st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 14000)), min_size=1, max_size=6),
    seed=st.integers(0, 100),
)
def test_every_row_is_that_of_the_newest_24_seconds_if_the_ring_wraps_and_if_a_frame_is_longer(
    banded_network: Network, begin: int, pieces: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    description = a_description(banded_network)
    ring, whole, stop = SampleRing(description), np.zeros((26, 0), np.int16), begin
    for k, (gap, count) in enumerate(pieces):
        gap *= k > 0  # there is none before the first
        uv = rng.integers(-9000, 9000, (13, count))
        scale_mv, settling = rng.random((12, count), np.float32), rng.random(count) < 0.5
        frame = replace(
            a_frame(stop + gap, count),
            leads_mv=1e-3 * uv[:12].astype(np.float32),
            measured_mv=1e-3 * uv[12].astype(np.float32),
            scale_mv=scale_mv,
            settling=settling,
        )
        ring.add(frame, untrusted=k % 2 == 1)
        half_mv = description.half_width_mv(scale_mv, "0.9")
        assert half_mv is not None
        new = np.concatenate([uv, np.rint(1e3 * half_mv), [settling + 2 * (k % 2)]]).astype(np.int16)
        whole = np.concatenate([whole, np.full((26, gap), -32768, np.int16), new], axis=1)
        stop += gap + count
    start = max(begin, stop - 6000)
    assert ring.span == (start, stop)
    assert (ring.rows(range(26), start, stop) == whole[:, -6000:]).all()


def test_the_ring_is_compiled_before_the_first_frame_and_never_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compilation holds up all beds of the process."""
    uncompiled = compiled(samples._put.py_func)  # type: ignore[attr-defined]
    monkeypatch.setattr(samples, "_put", uncompiled)
    ring = SampleRing(a_description(network))
    before = len(uncompiled.signatures)
    frame = a_frame(0, 20)
    for leads_mv in (frame.leads_mv, np.asfortranarray(frame.leads_mv), frame.leads_mv[:, ::2]):
        n = leads_mv.shape[1]
        ring.add(
            replace(
                frame,
                leads_mv=leads_mv,
                measured_mv=leads_mv[1],
                scale_mv=leads_mv,
                valid=frame.valid[:n],
                settling=frame.settling[:n],
            ),
            untrusted=True,
        )
    assert before == 1 == len(uncompiled.signatures)


def test_each_row_is_what_its_name_says(banded_network: Network) -> None:
    description = a_description(banded_network)
    ring = SampleRing(description)
    ring.add(a_frame(0), untrusted=True)
    rows = ring.rows(range(FLAGS + 1), *ring.span)
    assert [row[0] for row in rows[:MEASURED]] == [500 * k for k in range(1, 13)]
    assert (rows[MEASURED] == 250).all() and (rows[FLAGS] == 2).all()
    half_mv = description.half_width_mv(a_frame(0).scale_mv, "0.9")
    assert half_mv is not None and np.allclose(rows[HALF_WIDTH:FLAGS], 1e3 * half_mv, atol=0.51)
