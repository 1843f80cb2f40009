# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses how the leads that a source holds beside the measured one are shown."""

from __future__ import annotations

from devices.replay.file import FileReplay
from streamer.core.measured_leads import ClinicalTruth, InputBandTruth
from streamer.core.pipeline import Pipeline
from streamer.core.stream import StreamInfo
from streamer.recording.replay_core import ReplayCore
from streamer.session.source import Source


def truth_beside(
    source: Source, info: StreamInfo, core: Pipeline | ReplayCore
) -> ClinicalTruth | InputBandTruth | None:
    """In the clinical frame for an open file, else in the input band; None if what is shown was recorded.

    Raises
    ------
    InputError
        The file became unreadable since it was opened.
    """
    if not isinstance(core, Pipeline):
        return None
    spec = core.spec
    whole = source.whole() if isinstance(source, FileReplay) else None
    if whole is not None:
        return ClinicalTruth(whole, info.rate_hz, spec.filters, spec.rate_hz)
    return InputBandTruth(info.rate_hz, spec.filters, spec.rate_hz)
