# SPDX-License-Identifier: GPL-3.0-or-later
"""Beds in processes of their own: shown, silenced, recorded, and started again if a process dies."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mecg.app import ward_processes
from mecg.app.bed_list import BedPlan
from mecg.app.options import ModelOptions, SessionOptions, SourceOptions
from mecg.app.ward_processes import WardProcesses, processes_for
from streamer.core.events import AlarmsSilenced, Event, State
from streamer.core.vitals.vitals import Limits
from streamer.recording.folder import sessions
from tests.mecg.app.test_ward_beds import until
from ward.bed import Beds


def test_sixteen_beds_stay_in_one_process() -> None:
    assert [processes_for(beds) for beds in (0, 1, 16)] == [1, 1, 1]
    assert 2 <= processes_for(17) <= processes_for(64)


def test_beds_in_processes_are_shown_silenced_recorded_and_survive_one(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ward_processes, "AGAIN_S", 0.1)
    heard: list[tuple[int, Event]] = []
    beds = Beds()
    ward = WardProcesses(beds, lambda number, event: heard.append((number, event)), 2)
    models = ModelOptions(model_file)
    session = SessionOptions(SourceOptions("synthetic:?bpm=90"), models=models, record=tmp_path)
    plans = [BedPlan("calm", session), BedPlan("alarming", session, Limits(20, 60))]
    try:
        ward.follow(plans)
        calm, alarming = beds.all()
        assert until(lambda: calm.cursor()[1] > 250 and alarming.cursor()[1] > 250, 60)
        assert calm.status(time.monotonic()).recording
        assert until(lambda: alarming.status(time.monotonic()).alarms, 30)
        assert alarming.silence()
        assert until(lambda: all(one.silenced for one in alarming.status(time.monotonic()).alarms))
        assert any(number == alarming.number and isinstance(event, AlarmsSilenced) for number, event in heard)
        ward._workers[0].process.kill()  # that of the first bed
        assert until(lambda: calm.status(time.monotonic()).state is State.RECONNECTING)
        before = calm.cursor()[0]
        assert alarming.status(time.monotonic()).state is State.LIVE
        assert until(lambda: calm.cursor()[0] > before and calm.cursor()[1] > 0, 60)
        ward.follow(plans[1:])
        assert beds.all() == (alarming,)
        before = alarming.cursor()[0]
        ward._workers[1].process.terminate()
        assert until(lambda: alarming.cursor()[0] > before and alarming.cursor()[1] > 0, 60)
    finally:
        ward.stop()
    assert not ward.unrecorded
    states = sorted(each.state for folder in tmp_path.iterdir() for each in sessions(folder))
    assert states == [
        "complete",
        "complete",
        "complete",
        "open",
    ]  # only the process that was killed left one open
