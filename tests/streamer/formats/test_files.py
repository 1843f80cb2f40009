# SPDX-License-Identifier: MIT
"""Files that wearables write are read as their facts say: rate, length, lead, amplitude, start."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from streamer import InputError, open_recording
from streamer.core.errors import Field
from streamer.core.stream import Chunk, Placement
from streamer.formats import registry
from streamer.formats.file_format import Format
from streamer.formats.recording import Lead, Recording, Stated

FILES = Path(__file__).parent / "files"
FACTS = json.loads((FILES / "facts.json").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(set(FACTS) - {"apple_no_rate.csv"}))
def test_a_file_is_read_as_its_facts_say(name: str) -> None:
    facts = FACTS[name]
    recording = open_recording(FILES / name)
    assert recording.rate_hz == facts["rate_hz"]
    assert recording.samples == facts.get("samples", facts.get("span_samples"))
    mv = recording.read()
    assert mv.dtype == np.float32
    assert int(np.isnan(mv[0]).sum()) == facts.get("lost", 0)
    assert np.nanmax(mv[0]) == pytest.approx(facts.get("peak_mv", 1.0), abs=2e-3)
    first = int(np.nanargmax(mv[0][: round(0.8 * recording.rate_hz)])) / recording.rate_hz
    assert first == pytest.approx(0.4, abs=1.01 / recording.rate_hz)
    if facts.get("is_lead_i"):
        assert recording.row("I") is not None
    if "start" in facts:
        assert isinstance(recording, Recording)
        assert recording.began == datetime.fromisoformat(facts["start"])


@pytest.mark.parametrize("name", [name for name in sorted(FACTS) if "is_lead_i" in FACTS[name]])
def test_a_file_plays_as_lead_i_if_it_is(name: str) -> None:
    lead = None if FACTS[name]["is_lead_i"] else "ECG"
    source = FileReplay(FILES / name, lead=lead, replay=Replay(speed=math.inf))
    info = source.open()
    assert info.is_lead_i is FACTS[name]["is_lead_i"]
    played = [item.lead_mv for item in source.items() if isinstance(item, Chunk)]
    assert sum(map(len, played)) == info.samples == FACTS[name]["samples"]


@pytest.mark.parametrize("name", ["A00001.mat", "A00001.hea", "A00001", "only_ecg.hea", "faros_like.edf"])
def test_placement_on_the_arms_makes_an_unnamed_lead_lead_i(name: str) -> None:
    for lead in ("ECG", None):
        assert FileReplay(FILES / name, lead=lead, placement=Placement.ARMS).open().is_lead_i
    assert not FileReplay(FILES / name, lead="ECG").open().is_lead_i
    assert not FileReplay(FILES / name, placement=Placement.CHEST).open().is_lead_i
    assert FileReplay(FILES / name, lead="I").open().is_lead_i  # the user says which lead it is
    with pytest.raises(InputError) as refused:
        FileReplay(FILES / name).open()
    assert refused.value.field is Field.LEAD


def test_a_rate_that_is_not_stated_is_asked_for() -> None:
    with pytest.raises(InputError) as refused:
        open_recording(FILES / "apple_no_rate.csv")
    assert refused.value.field is Field.RATE
    assert open_recording(FILES / "apple_no_rate.csv", Stated(rate_hz=512.0)).rate_hz == 512.0


def test_a_stream_of_lab_recorder_is_read() -> None:
    recording = open_recording(FILES / "labrecorder_ecg.xdf")
    assert (recording.rate_hz, recording.names) == (130.0, ("ECG",))
    assert np.nanmax(recording.read()) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("name", sorted(path.name for path in FILES.iterdir() if path.suffix != ".json"))
def test_no_identity_is_shown(name: str) -> None:
    try:
        recording = open_recording(FILES / name, Stated(rate_hz=512.0) if "no_rate" in name else Stated())
    except InputError as error:
        pytest.skip(error.line)
    shown = f"{recording!r} {recording.notes} {FileReplay(FILES / name, lead=recording.names[0])}"
    shown = re.sub(r"0x[0-9a-f]+", "", shown)  # an address in memory may hold any digits
    assert "Test Person" not in shown
    assert "1990" not in shown


def test_the_content_counts_and_not_the_extension(tmp_path: Path) -> None:
    for name in sorted(set(FACTS) - {"apple_no_rate.csv"}):
        if not name.endswith((".hea", ".mat")):
            (tmp_path / "file.bin").write_bytes((FILES / name).read_bytes())
            assert open_recording(tmp_path / "file.bin").rate_hz == FACTS[name]["rate_hz"]


def test_a_package_adds_a_format_by_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Offer:
        name = "mine"

        def load(self) -> Format:
            return Format("mine", "a file of mine", lambda head: head.data.startswith(b"MINE"), read_mine)

    def read_mine(path: Path, stated: Stated) -> Recording:
        return Recording("a file of mine", 250.0, (Lead("I", "mV"),), np.ones((1, 100), np.float32))

    monkeypatch.setattr(registry, "entry_points", lambda group: [Offer()])
    registry._added.cache_clear()
    try:
        (tmp_path / "x.any").write_bytes(b"MINE")
        assert FileReplay(tmp_path / "x.any").open().is_lead_i
    finally:
        registry._added.cache_clear()
