# SPDX-License-Identifier: GPL-3.0-or-later
"""A ward's beds: read from a list, run by themselves, opened again, recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gui.controller import SourceRequest
from mecg.app import ward_beds
from mecg.app.bed_list import BedPlan, plans_of, read_bed_list
from mecg.app.controller import Controller
from mecg.app.options import ModelOptions, ReplayOptions, SessionOptions, SourceOptions
from mecg.app.ward_beds import WardBeds
from streamer.core.errors import InputError
from streamer.core.events import AlarmKind, State
from streamer.core.vitals.vitals import Limits
from streamer.recording.folder import sessions
from ward.bed import Bed, Beds

LIST = """
[[bed]]
name = "Window"
source = "synthetic:?bpm=60"
placement = "arms"
low_bpm = 45
high_bpm = 130.0
calibration = "anna.npz"

[[bed]]
source = "wfdb:record"
lead = "II"
invert = true
loop = true
"""


def until(true: Callable[[], Any], seconds: float = 20.0) -> bool:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        if true():
            return True
        time.sleep(0.02)
    return False


def test_a_list_says_of_each_bed_what_differs_from_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "beds.toml"
    path.write_text(LIST)
    first, second = read_bed_list(path, SessionOptions(record=tmp_path))
    assert first == BedPlan(
        "Window",
        SessionOptions(
            SourceOptions("synthetic:?bpm=60", placement="arms"),
            models=ModelOptions(calibration=tmp_path / "anna.npz"),
            record=tmp_path,
        ),
        Limits(45.0, 130.0),
    )
    assert second == BedPlan(
        "Bed 2",
        SessionOptions(
            SourceOptions("wfdb:record", lead="II", invert=True), ReplayOptions(loop=True), record=tmp_path
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no toml",
        "bed = 3",
        "[[bed]]\nname = 'a'",
        "[[bed]]\nsource = ''",
        "[[bed]]\nsource = 3",
        "[[bed]]\nsource = 'x'\nunknown = 1",
        "[[bed]]\nsource = 'x'\nplacement = 'foot'",
        "[[bed]]\nsource = 'x'\nlow_bpm = 130\nhigh_bpm = 50",
        "[[bed]]\nsource = 'x'\nlow_bpm = true",
        "[[bed]]\nsource = 'x'\nhigh_bpm = inf",
        "[[bed]]\nsource = 'x'\nname = 'a'\n[[bed]]\nsource = 'y'\nname = 'a'",
        "[[bed]]\nsource = 'x'\n" * 300,
        "\xff\xfe",
    ],
)
def test_a_list_that_cannot_be_meant_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "beds.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as failure:
        read_bed_list(path, SessionOptions())
    assert failure.value.line


@pytest.fixture
def running(model_file: Path) -> Iterator[tuple[WardBeds, Beds, SessionOptions]]:
    beds = Beds()
    ward = WardBeds(beds)
    yield ward, beds, SessionOptions(models=ModelOptions(model_file))
    ward.stop()


Ward = tuple[WardBeds, Beds, SessionOptions]


def named(beds: Beds, name: str) -> Bed:
    return next(bed for bed in beds.all() if bed.name == name)


def test_beds_run_side_by_side_and_one_that_cannot_be_opened_costs_the_others_nothing(running: Ward) -> None:
    ward, beds, common = running
    ward.follow(plans_of(["synthetic:?bpm=60", "wfdb:nothing", "synthetic:?bpm=75"], common))
    first, second, third = beds.all()
    assert until(lambda: first.cursor()[1] > 250 and third.cursor()[1] > 250)
    status = second.status(time.monotonic())
    assert status.state is State.RECONNECTING and "nothing" in status.news


def test_beds_come_and_go_and_those_that_stay_are_not_disturbed(running: Ward) -> None:
    ward, beds, common = running
    stays, goes = plans_of(["synthetic:?bpm=60", "synthetic:?bpm=61"], common)
    ward.follow([stays, goes])
    kept = named(beds, stays.name)
    assert until(lambda: kept.cursor()[1] > 0)
    comes = BedPlan("new", stays.session)
    ward.follow([stays, comes])
    assert [bed.name for bed in beds.all()] == [stays.name, "new"]
    assert until(lambda: named(beds, "new").cursor()[1] > 0)
    assert named(beds, stays.name) is kept and kept.cursor()[0] == 1


def test_a_recording_that_was_played_to_its_end_is_not_opened_again(running: Ward) -> None:
    ward, beds, common = running
    ward.follow(plans_of(["synthetic:?seconds=1"], common))
    assert until(lambda: ward.ended)
    assert beds.all()[0].status(time.monotonic()).state is State.ENDED and beds.all()[0].cursor()[0] == 1


def test_a_bed_whose_source_breaks_is_a_lost_signal_and_is_opened_again(
    running: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward, beds, common = running
    monkeypatch.setattr(ward_beds, "AGAIN_S", (0.3,))
    opened = ward_beds.source_of
    broken: list[int] = []

    def breaks_once(*given: Any) -> Any:
        source = opened(*given)
        items = source.items

        def broken_items() -> Iterator[Any]:
            for count, item in enumerate(items()):
                if not broken and count > 100:
                    broken.append(count)
                    raise OSError("the link broke")
                yield item

        source.items = broken_items
        return source

    monkeypatch.setattr(ward_beds, "source_of", breaks_once)
    ward.follow(plans_of(["synthetic:?bpm=60"], common))
    (bed,) = beds.all()
    assert until(lambda: [one.kind for one in bed.status(0).alarms] == [AlarmKind.SIGNAL_LOST])
    assert "the link broke" in bed.status(0).news
    assert until(lambda: bed.cursor()[0] == 2 and bed.cursor()[1] > 0 and not bed.status(0).alarms)


def test_each_bed_is_recorded_in_a_folder_of_its_own(running: Ward, tmp_path: Path) -> None:
    ward, beds, common = running
    one = SessionOptions(SourceOptions("synthetic:"), models=common.models, record=tmp_path)
    plans = [BedPlan(name, one) for name in ("Bed 1", "../Anna K.")]
    ward.follow(plans)
    assert until(lambda: all(bed.cursor()[1] > 250 for bed in beds.all()))
    assert all(bed.status(time.monotonic()).recording for bed in beds.all())
    ward.stop()
    assert not ward.unrecorded
    found = {path.name: list(sessions(path)) for path in tmp_path.iterdir()}
    assert set(found) == {"Bed-1", "Anna-K"}
    assert all(each.state == "complete" and each.seconds > 0.5 for [each] in found.values())


def test_the_window_and_the_page_show_the_same_session_and_the_same_limits(model_file: Path) -> None:
    bed = Beds().add("Bed")
    options = SessionOptions(SourceOptions("synthetic:?bpm=60"), models=ModelOptions(model_file))
    controller = Controller(options, bed=bed)
    controller.prepare()
    running = controller.begin()
    try:
        running.watch_for(Limits(40.0, 150.0))
        assert until(lambda: bed.cursor()[1] > 250)
        assert bed.status(0).limits == Limits(40.0, 150.0)
        controller.open(SourceRequest("synthetic:?bpm=75"))
        assert until(lambda: bed.cursor()[0] == 2 and bed.cursor()[1] > 0)
    finally:
        controller.close()
