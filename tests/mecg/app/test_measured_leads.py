# SPDX-License-Identifier: GPL-3.0-or-later
"""The leads that a record holds, on their way through a whole session to the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from devices.replay.synthetic import Synthetic
from gui.signal.inbox import Inbox, Measured, Raw
from mecg.app.measured_leads import truth_beside
from mecg.app.models import network_of
from mecg.app.session_builder import pipeline_of
from streamer.core.leads import LEADS
from streamer.core.measured_leads import ClinicalTruth, InputBandTruth
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.core.signal.diagnostic_band import DiagnosticBand
from streamer.core.stream import Chunk, Frame
from streamer.formats.wfdb_reader import Record
from streamer.session.description import SessionDescription
from streamer.session.session import Session

RECORD = Path(__file__).parents[3] / "recordings" / "ptb-xl" / "00155_hr"


def test_a_records_leads_reach_the_window_in_the_clinical_frame_sample_by_sample() -> None:
    source = FileReplay(RECORD, replay=Replay(speed=8.0, start_s=1.5))
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
