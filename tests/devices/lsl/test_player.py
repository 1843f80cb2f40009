# SPDX-License-Identifier: GPL-3.0-or-later
"""mne-lsl's player, a sender of other people's: its units are powers of ten of a volt."""

from __future__ import annotations

import os

import numpy as np
import pytest

from devices.lsl.inlet import LslStream
from devices.replay.synthetic import Synthetic
from streamer.core.events import SamplesLost
from tests.devices.lsl.lsl_rig import Reception

player = pytest.importorskip("mne_lsl.player", reason="mne-lsl is not installed (extra bench)")
mne = pytest.importorskip("mne")

pytestmark = pytest.mark.filterwarnings("ignore")  # of mne and its dependencies


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("unit", "chunk_size"), [("volts", 1), ("millivolts", 32), ("microvolts", 16)])
def test_a_player_of_mne_lsl_is_read_in_millivolts_without_a_loss(unit: str, chunk_size: int) -> None:
    rate_hz = 250
    lead_mv = Synthetic(f"?rate={rate_hz}&bpm=75").lead_mv(0, 20 * rate_hz).astype(float)
    info = mne.create_info(["I"], rate_hz, ["ecg"])
    raw = mne.io.RawArray(1e-3 * lead_mv[None], info, verbose="ERROR")
    name = f"player {os.getpid()} {unit} {chunk_size}"
    sender = player.PlayerLSL(raw, chunk_size=chunk_size, n_repeat=np.inf, name=name)
    sender.set_channel_units({"I": unit})
    with sender:
        heard = Reception(LslStream(name))
        assert (heard.info.rate_hz, heard.info.is_lead_i) == (rate_hz, True)
        heard.wait_samples(6 * rate_hz)
        assert heard.stop() < 2
    assert not any(isinstance(event, SamplesLost) for event in heard.events), heard.told
    got_mv = np.concatenate([chunk.lead_mv for chunk in heard.chunks])[-4 * rate_hz :]
    assert np.ptp(got_mv) == pytest.approx(np.ptp(lead_mv), rel=0.05)
