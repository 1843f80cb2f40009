# SPDX-License-Identifier: GPL-3.0-or-later
"""What `mecg evaluate` runs in long hops is what the live path gives."""

from pathlib import Path

import numpy as np
import pytest

from mecg.app.models import model_bytes
from mecg.evaluation.dataset import Entry
from mecg.evaluation.evaluate import Scored, score_all, stream
from streamer.core.network.network import Network
from streamer.formats.wfdb_reader import Record
from streamer.reconstruction import long_hop

RECORDINGS = Path(__file__).parents[3] / "recordings" / "ptb-xl"


def test_long_hops_give_the_leads_and_scales_of_live_within_a_ten_thousandth_of_a_mv() -> None:
    network = Network(model_bytes(None))
    record = Record(RECORDINGS / "00010_hr")
    lead_mv = record.twelve()[0]
    live = stream(lead_mv, record.rate_hz, network)
    dense = stream(lead_mv, record.rate_hz, network, long_hop(network.spec, len(lead_mv), record.rate_hz))
    for a, b in zip(live, dense, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() < 1e-4


def test_long_hops_give_the_scores_of_live() -> None:
    entries = [Entry(RECORDINGS / "00155_hr", "a", ())]
    live, dense = (
        next(iter(score_all(entries, model_bytes(None), 1, dense=dense))) for dense in (False, True)
    )
    assert isinstance(live, Scored) and isinstance(dense, Scored)
    assert dense.ours.sums.squared == pytest.approx(live.ours.sums.squared, rel=1e-4)
    assert dense.ours.sums.pearson == pytest.approx(live.ours.sums.pearson, abs=1e-5)
