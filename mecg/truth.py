# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses how the leads that a source holds beside the measured one are shown."""

from __future__ import annotations

from devices.source import Source
from devices.wfdb_replay import WfdbReplay
from streamer.pipeline import Pipeline
from streamer.run.as_recorded import AsRecorded
from streamer.stream import StreamInfo
from streamer.truth import ClinicalTruth, InputBandTruth


def truth_beside(
    source: Source, info: StreamInfo, core: Pipeline | AsRecorded
) -> ClinicalTruth | InputBandTruth | None:
    """In the clinical frame for an open file, else in the input band; None where what is shown was recorded.

    Raises
    ------
    InputError
        The file became unreadable since it was opened.
    """
    if not isinstance(core, Pipeline):
        return None
    spec = core.spec
    whole = source.whole() if isinstance(source, WfdbReplay) else None
    if whole is not None:
        return ClinicalTruth(whole, info.rate_hz, spec.filters, spec.rate_hz)
    return InputBandTruth(info.rate_hz, spec.filters, spec.rate_hz)
