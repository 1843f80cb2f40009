# SPDX-License-Identifier: GPL-3.0-or-later
"""The leads that a record holds, on their way through a whole session to the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from devices.pacing import Replay
from devices.synthetic import Synthetic
from devices.wfdb_record import Record
from devices.wfdb_replay import WfdbReplay
from gui.inbox import Inbox, Measured, Raw
from mecg.compose import pipeline_of
from mecg.model_file import network_of
from mecg.truth import truth_beside
from streamer.clinical import clinical_frame
from streamer.diagnostic import DiagnosticBand
from streamer.leads import LEADS
from streamer.run.session import Session
from streamer.run.sink import SessionDescription
from streamer.stream import Chunk, Frame
from streamer.truth import ClinicalTruth, InputBandTruth

RECORD = Path(__file__).parents[2] / "recordings" / "ptb-xl" / "00155_hr"


def test_a_records_leads_reach_the_window_in_the_clinical_frame_sample_by_sample() -> None:
    source = WfdbReplay(RECORD, replay=Replay(speed=8.0, start_s=1.5))
    info, network = source.open(), network_of(None)
    core = pipeline_of(info, network)
    truth = truth_beside(source, info, core)
    assert isinstance(truth, ClinicalTruth)
    inbox = Inbox(truth=truth)
    session = Session(source, core, SessionDescription.of(info, network.spec, core.latency))
    session.attach(inbox)
    session.run()
    items = [item for _, item in inbox.take()]
    frames = [item for item in items if isinstance(item, Frame)]
    measured = {item.start: item.leads_mv for item in items if isinstance(item, Measured)}
    assert len(measured) == len(frames)
    record = Record(RECORD)
    whole = clinical_frame(record.read(), record.rate_hz, network.spec.filters, 250.0)
    rows = [record.row(lead) for lead in LEADS]
    off = 375  # 1.5 s into the record
    for frame in frames:
        expected = whole[rows, frame.start + off : frame.stop + off]
        assert np.abs(measured[frame.start] - expected).max() < 1e-4
    raw = np.concatenate([item.lead_mv for item in items if isinstance(item, Raw)])
    played = record.read(750)[record.row("I")]
    assert np.array_equal(raw, DiagnosticBand(500.0).push(Chunk(0, played)))


def test_a_source_that_is_no_file_has_its_truth_in_the_input_band() -> None:
    source = Synthetic("")
    info = source.open()
    core = pipeline_of(info, network_of(None))
    assert isinstance(truth_beside(source, info, core), InputBandTruth)
