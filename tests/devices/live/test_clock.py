# SPDX-License-Identifier: GPL-3.0-or-later
"""Hours of arrivals, late at random: the fitted clock stays within 2 ms an hour of the truth."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from devices.live.clock import ArrivalClock, ComparedClock

PACKET_S = 73 / 129.91
Delays = Callable[[np.random.Generator, int], NDArray[np.float64]]


def bursts(random: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Now and then a minute in which every packet is late."""
    delay = random.exponential(0.02, n)
    for start in range(0, n, 200):
        if random.random() < 0.5:
            delay[start : start + random.integers(5, 150)] += random.exponential(0.3)
    return delay


JITTER: dict[str, Delays] = {
    "exponential": lambda random, n: random.exponential(0.1, n),
    "uniform": lambda random, n: random.uniform(0, 0.1, n),
    "half normal": lambda random, n: np.abs(random.normal(0, 0.1, n)),
    "bursts": bursts,
}


def errors_ms(device: NDArray[np.float64], host: NDArray[np.float64], arrival: NDArray[np.float64]):
    clock, mapped = ArrivalClock(), []
    for device_s, arrival_s in zip(device.tolist(), np.maximum.accumulate(arrival).tolist(), strict=True):
        clock.observe(device_s, arrival_s)
        mapped.append(clock.host_s(device_s))
    return 1e3 * (np.array(mapped) - host), np.array(mapped)


@pytest.mark.parametrize("skew", [60e-6, -200e-6])
@pytest.mark.parametrize("jitter", JITTER)
def test_stamps_drift_less_than_2_ms_an_hour(jitter: str, skew: float) -> None:
    hour = round(3600 / PACKET_S)
    device = np.arange(3 * hour) * PACKET_S + 599_616_000
    host = 5000 + np.arange(3 * hour) * PACKET_S * (1 + skew)
    delay = JITTER[jitter](np.random.default_rng(7), 3 * hour)
    error_ms, mapped = errors_ms(device, host, host + delay)
    settled = error_ms[hour // 10 :]
    assert np.abs(settled[hour:] - settled[:-hour]).max() < 2.0
    assert np.ptp(settled) < 4.0
    assert np.all(np.diff(mapped) > 0)


def test_a_crystal_that_warms_up_is_followed() -> None:
    """20 ppm up and down within two hours."""
    n = round(4 * 3600 / PACKET_S)
    device = np.arange(n) * PACKET_S
    host = device + np.cumsum(10e-6 * np.sin(2 * np.pi * device / 7200)) * PACKET_S
    error_ms, _ = errors_ms(device, host, host + np.random.default_rng(3).exponential(0.1, n))
    assert np.ptp(error_ms[n // 40 :]) < 6.0


def test_stamps_follow_at_once_in_the_beginning_and_slowly_later() -> None:
    clock = ArrivalClock()
    clock.observe(0.0, 100.9)  # the first packet is often the latest
    for i in range(1, 200):
        clock.observe(i * PACKET_S, 100 + i * PACKET_S)
        if i == 5:
            assert clock.host_s(i * PACKET_S) == pytest.approx(100 + i * PACKET_S, abs=1e-6)
    before = clock.host_s(200 * PACKET_S)
    clock.observe(200 * PACKET_S, 100 + 200 * PACKET_S - 0.03)
    assert before - 0.6e-3 < clock.host_s(200 * PACKET_S) < before


def test_a_step_of_the_device_that_no_delay_explains_restarts_the_fit() -> None:
    clock = ArrivalClock()
    for i in range(200):
        clock.observe(i * PACKET_S, i * PACKET_S)
    assert clock.settled
    for i in range(200, 205):
        clock.observe(i * PACKET_S, i * PACKET_S - 0.1)
    assert not clock.settled
    assert clock.host_s(204 * PACKET_S) == pytest.approx(204 * PACKET_S - 0.1, abs=1e-6)


@pytest.mark.parametrize("skew", [0.0, 50e-6, -100e-6])
def test_compared_clocks_are_followed_whatever_the_arrivals_and_comparisons(skew: float) -> None:
    """Compared each 2 s, within 0.3 ms and one time in ten within 5; every sample is 80 ms on its way."""
    rng = np.random.default_rng(5)
    device = np.arange(0, 3600, 0.25)
    host = device * (1 + skew) + 40.0
    clock, off_ms, mapped = ComparedClock(40.0003), [], []
    for i, (device_s, host_s) in enumerate(zip(device.tolist(), host.tolist(), strict=True)):
        if i % 8 == 0:
            error_s = rng.uniform(-1, 1) * (0.005 if rng.random() < 0.1 else 0.0003)
            clock.compare(host_s - device_s + error_s)
        clock.observe(device_s, host_s + 0.08 + rng.exponential(0.01))
        mapped.append(clock.host_s(device_s))
        off_ms.append(1e3 * (mapped[-1] - host_s))
    assert np.abs(off_ms).max() < 2.0
    assert np.all(np.diff(mapped) > 0) and clock.settled


@pytest.mark.parametrize("shift_s", [-1.7e9, -60.0, 1.0, 1.7e9])
def test_stamps_that_are_not_of_the_compared_clock_go_by_their_arrivals(shift_s: float) -> None:
    clock, other = ComparedClock(0.0), ArrivalClock()
    for i in range(100):
        for one in (clock, other):
            one.observe(shift_s + 0.1 * i, 0.1 * i + 0.02)
    at_s = shift_s + 10
    assert clock.host_s(at_s) == other.host_s(at_s) == pytest.approx(10.02, abs=1e-5)


def test_a_sender_held_up_for_a_minute_keeps_its_clock() -> None:
    clock = ComparedClock(0.0)
    for i in range(100):
        clock.observe(0.1 * i, 0.1 * i + (60.0 if i > 50 else 0.02))
    assert clock.host_s(10.0) == 10.0
