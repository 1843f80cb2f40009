# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compiled for speed says the same as the laws that are written to be read."""

import numpy as np
import pytest

from streamer.core.leads import LEADS, PREDICTED, scale_of_twelve, twelve_from_eight
from streamer.core.signal.lead_assembly import assemble


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("leads", [PREDICTED, PREDICTED[1:], PREDICTED[::-1]])
def test_frames_follow_the_limb_lead_laws_to_the_bit(leads: tuple[str, ...], scaled: bool) -> None:
    rng = np.random.default_rng(1)
    measured = rng.normal(0, 1, 50).astype(np.float32)
    valid = rng.random(50) > 0.2
    out = np.abs(rng.normal(0, 1, (len(leads) * (1 + scaled), 50))).astype(np.float32)
    rows = np.array([PREDICTED.index(lead) for lead in leads])
    twelve, scale, shown = assemble(measured, valid, out, rows)
    eight, eight_scale = np.zeros((2, 8, 50), np.float32)
    eight[0] = measured
    eight[rows] = out[: len(leads)]
    assert np.array_equal(twelve, np.where(valid, twelve_from_eight(eight), np.nan), equal_nan=True)
    assert np.array_equal(shown, np.where(valid, measured, np.nan), equal_nan=True)
    assert twelve.shape == scale.shape == (len(LEADS), 50)
    if scaled:
        eight_scale[rows] = out[len(leads) :]
        wanted = np.where(valid, scale_of_twelve(eight_scale), np.nan)
        np.testing.assert_allclose(scale, wanted, rtol=3e-7)
    else:
        assert np.isnan(scale).all()
