"""What is read out of an LSL stream's stamps; no network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.lsl.stamps import fit_rate, in_their_order, rate_of, stamps_are_exact

T = np.arange(1000) / 129.9 + 4321.0
RNG = np.random.default_rng(3)


def lossy(stamps: np.ndarray) -> np.ndarray:
    kept = RNG.random(len(stamps)) > 0.05
    kept[300:350] = False
    return stamps[kept]


@pytest.mark.parametrize("rate", [95.0, 129.9, 130.0, 250.0, 512.0, 5000.0])
@pytest.mark.parametrize("jitter", [0.0, 0.02])
def test_the_rate_is_found_in_stamps_with_losses_and_a_little_jitter(rate: float, jitter: float) -> None:
    stamps = (np.arange(round(3 * rate)) + RNG.normal(0, jitter, round(3 * rate))) / rate + 4321
    assert rate_of(lossy(stamps)) == pytest.approx(rate, abs=0.051)


def test_uneven_stamps_fit_the_rate_at_which_they_come() -> None:
    bunched = np.repeat(T[::4], 4)[: len(T)] + 1e-4 * (np.arange(len(T)) % 4)
    assert rate_of(bunched) == pytest.approx(129.9, rel=0.01)


def test_stamps_that_fit_no_rate_are_told_apart() -> None:
    assert rate_of(np.cumsum(RNG.exponential(1 / 130, 400)) + np.linspace(0, 1, 400) ** 2) is None
    assert rate_of(np.linspace(0, 1, 400) ** 2) is None
    assert rate_of(T[:49]) is None
    assert rate_of(np.zeros(500)) is None
    assert rate_of(T[::-1]) is None


def test_computed_stamps_are_exact_whatever_is_lost_and_taken_ones_are_not() -> None:
    assert stamps_are_exact(T, 130.0)
    assert stamps_are_exact(lossy(T), 130.0)
    assert not stamps_are_exact(T + RNG.normal(0, 1e-4, len(T)), 130.0)
    joints = np.repeat(RNG.uniform(-0.014, 0.014, 14), 73)[: len(T)]
    assert not stamps_are_exact(T + joints, 130.0)
    assert not stamps_are_exact(T[:1], 130.0)
    assert not stamps_are_exact(np.zeros(5), 130.0)


@settings(max_examples=400, deadline=None)
@given(
    rate_hz=st.sampled_from([100.0, 125.0, 128.0, 129.91, 130.0, 250.0, 256.0, 300.0, 500.0, 512.0, 1000.0]),
    share=st.floats(0, 1),
    cut=st.floats(0, 1),
    jitter_s=st.sampled_from([0.0, 0.005]),
    stamp_of=st.sampled_from(["first", "last", "each"]),
    lost=st.lists(st.integers(1, 8), max_size=2),
    seed=st.integers(0, 10**6),
)
def test_the_rate_is_true_within_a_500th_for_packets_up_to_a_second(
    rate_hz: float, share: float, cut: float, jitter_s: float, stamp_of: str, lost: list[int], seed: int
) -> None:
    """Whatever part of a packet is seen first; a look ends when the rate is sure, or after 10 s."""
    rng = np.random.default_rng(seed)
    packet = max(1, round(rate_hz**share))  # from 1 sample to 1 s, as many small ones as large
    packet = min(packet, round(rate_hz))
    count = int(11 * rate_hz / packet) + 2
    index = np.arange(count * packet).reshape(count, packet)
    of = {"first": index[:, :1], "last": index[:, -1:], "each": index}[stamp_of]
    stamps = 4321 + of / rate_hz + rng.uniform(-jitter_s, jitter_s, (count, 1))
    stamps = np.broadcast_to(stamps, index.shape)
    kept = [i for i in range(count) if not jitter_s or i not in lost] if packet > 1 else range(count)
    stamps = stamps[list(kept)].ravel()[int(cut * (packet - 1)) :]
    fit = None
    for span_s in np.arange(3.0, 10.5, 0.5):
        seen = stamps[: np.searchsorted(stamps - stamps[0], span_s)]
        fit = fit_rate(seen)
        if fit is not None and fit.sure:
            break
    assert fit is not None
    assert fit.rate_hz == pytest.approx(rate_hz, rel=2e-3)


@given(
    order=st.permutations(range(6)),
    lost=st.sets(st.integers(0, 5), max_size=3),
    set_back_s=st.sampled_from([0.0, 5.0]),
)
def test_packets_that_overtook_each_other_are_put_right_and_a_clock_that_was_set_is_not(
    order: list[int], lost: set[int], set_back_s: float
) -> None:
    packets = [np.arange(k * 8, k * 8 + 8) for k in order if k not in lost]
    numbers = np.concatenate(packets)
    stamps = 4321 + numbers / 250 - set_back_s
    rows, sorted_s = in_their_order(numbers[:, None].astype(float), stamps, 4321 - 1 / 250, 250.0)
    assert np.allclose(rows[:, 0], 250 * (sorted_s - 4321 + set_back_s)), "each sample keeps its stamp"
    assert np.array_equal(sorted_s, stamps if set_back_s else np.sort(stamps))


@settings(max_examples=200, deadline=None)
@given(
    rate_hz=st.sampled_from([100.0, 128.0, 250.0, 500.0]),
    packet=st.integers(2, 250),
    packets=st.integers(3, 40),
    cuts=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_four_packets_say_what_the_rate_is_whichever_of_them_are_cut(
    rate_hz: float, packet: int, packets: int, cuts: tuple[float, float]
) -> None:
    first, last = (1 + round(cut * (packet - 1)) for cut in cuts)
    sizes = [first, *[packet] * (packets - 1), last]
    at_s = [1000 + k * packet / rate_hz for k in range(packets + 1)]
    rate = rate_of(np.repeat(at_s, sizes))
    assert rate is None or rate == pytest.approx(rate_hz, rel=0.2)
