# SPDX-License-Identifier: GPL-3.0-or-later
"""The low-pass's delay that `mecg info` states, and that is taken out of the stamps of beats."""

from __future__ import annotations

import pytest
from scipy import signal

from streamer.core.network.latency import group_delay_s


@pytest.mark.parametrize("at_hz", [2.0, 10.0, 25.0])
def test_a_group_delay_is_scipys(at_hz: float) -> None:
    sos = signal.butter(4, 40.0, "lowpass", fs=250.0, output="sos")
    polynomials = signal.sos2tf(sos)
    _, samples = signal.group_delay(polynomials, w=[at_hz], fs=250.0)
    assert group_delay_s(sos, 250.0, at_hz) == pytest.approx(samples[0] / 250.0, abs=1e-6)


def test_the_low_pass_is_some_ten_milliseconds_late_at_ten_hertz() -> None:
    sos = signal.butter(4, 40.0, "lowpass", fs=250.0, output="sos")
    assert 0.009 < group_delay_s(sos, 250.0, 10.0) < 0.012
