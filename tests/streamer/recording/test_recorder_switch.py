# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import pytest

from streamer.core.errors import InputError
from streamer.core.events import Event, Failed
from streamer.core.stream import Chunk, Frame
from streamer.recording.reader import Recording
from streamer.recording.recorder import Recorder
from streamer.recording.recorder_switch import RecorderSwitch
from tests.streamer.made_session import description, items


class Rig:
    def __init__(self, folder: Path, **how: bool) -> None:
        self.told: list[Event] = []
        self.switch = RecorderSwitch(
            lambda: Recorder(folder, {"mecg": "0"}, self.told.append), self.told.append, **how
        )

    def give(self, *some: Chunk | Frame | Event) -> None:
        for item in some:
            if isinstance(item, Chunk):
                self.switch.chunk(item)
            elif isinstance(item, Frame):
                self.switch.frame(item)
            else:
                self.switch.event(item)


def test_it_records_from_when_it_is_switched_on_until_it_is_switched_off(tmp_path: Path) -> None:
    rig, made = Rig(tmp_path), list(items(30))
    rig.switch.open(description())
    third = len(made) // 3
    rig.give(*made[:third])
    assert rig.switch.now is None and not list(tmp_path.iterdir())
    path = rig.switch.begin()
    rig.give(*made[third : 2 * third])
    now = rig.switch.now
    assert now is not None and now[0] == path and now[1] == pytest.approx(10.0, abs=1.0)
    assert rig.switch.now == now or rig.switch.now is not None
    rig.switch.end()
    rig.give(*made[2 * third :])
    rig.switch.close()
    chunks = [item for item in made[third : 2 * third] if isinstance(item, Chunk)]
    with Recording.open(path) as recording:
        assert recording.complete and recording.damage == ()
        held = [(chunk.start, chunk.lead_mv.tobytes()) for chunk in recording.chunks()]
        first = chunks[0].start
    assert sum(len(mv) for _, mv in held) == sum(4 * len(chunk.lead_mv) for chunk in chunks)
    assert {start - held[0][0] for start, _ in held} == {chunk.start - first for chunk in chunks}


def test_each_time_it_is_switched_on_makes_a_file_of_its_own(tmp_path: Path) -> None:
    rig, made = Rig(tmp_path), list(items(10))
    rig.switch.open(description())
    for part in (made[: len(made) // 2], made[len(made) // 2 :]):
        rig.switch.begin()
        rig.give(*part)
        rig.switch.end()
    rig.switch.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_the_end_of_the_session_closes_the_file(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.switch.open(description())
    path = rig.switch.begin()
    rig.give(*items(5))
    rig.switch.close()
    with Recording.open(path) as recording:
        assert recording.complete


def test_before_and_after_a_session_nothing_can_be_recorded(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with pytest.raises(InputError):
        rig.switch.begin()
    rig.switch.open(description())
    rig.switch.close()
    with pytest.raises(InputError):
        rig.switch.begin()


@pytest.mark.parametrize("at_once", [False, True])
def test_a_full_disk_ends_a_recording_by_hand_alone_and_one_that_was_asked_for_with_an_error(
    tmp_path: Path, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path, at_once=at_once)
    rig.switch.open(description())
    rig.switch.begin()

    def full(recorder: Recorder, chunk: Chunk) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr(Recorder, "chunk", full)
    chunk = next(item for item in items(5) if isinstance(item, Chunk))
    if at_once:
        with pytest.raises(InputError):
            rig.give(chunk)
    else:
        rig.give(chunk)
        assert rig.switch.now is None
        assert any(isinstance(event, Failed) and event.part == Recorder.name for event in rig.told)
    rig.switch.close()
