# SPDX-License-Identifier: GPL-3.0-or-later
"""A Lead I that stands upside down shows in at least four beats."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.core.calibration.swapped_leads import upside_down

RATE_HZ = 250


def lead_with_beats_at(*beats_s: float, until_s: float, sign: float = -1.0) -> np.ndarray:
    t_s = np.arange(round(until_s * RATE_HZ)) / RATE_HZ
    lead_mv = np.zeros(len(t_s))
    for at_s in beats_s:
        for mv, after_s, width_s in ((0.12, -0.16, 0.02), (1.0, 0.0, 0.01), (0.3, 0.25, 0.04)):
            lead_mv += mv * np.exp(-(((t_s - at_s - after_s) / width_s) ** 2) / 2)
    return (sign * lead_mv).astype(np.float32)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_four_beats_tell_which_way_up_it_stands(sign: float) -> None:
    lead_mv = lead_with_beats_at(1.0, 1.8, 2.6, 3.4, until_s=5.0, sign=sign)
    assert upside_down(lead_mv, RATE_HZ) == (sign < 0)


def test_three_beats_tell_nothing() -> None:
    assert not upside_down(lead_with_beats_at(1.0, 1.8, 2.6, until_s=5.0), RATE_HZ)


@pytest.mark.parametrize("first_s", [0.3, 0.5, 0.7])
def test_where_the_lead_is_cut_does_not_turn_it(first_s: float) -> None:
    beats_s = [first_s + 0.8 * k for k in range(6)]
    for sign in (1.0, -1.0):
        assert upside_down(lead_with_beats_at(*beats_s, until_s=5.5, sign=sign), RATE_HZ) == (sign < 0)
