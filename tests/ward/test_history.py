# SPDX-License-Identifier: GPL-3.0-or-later
"""The last day outlives the program, and a disk that fails costs nobody anything."""

from __future__ import annotations

import csv
import io
import json
import math
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.core.errors import InputError
from streamer.core.events import Alarm, AlarmKind, AlarmsSilenced, Beat, QualityChanged
from streamer.core.network.network import Network
from tests.ward.a_bed import a_description, a_frame
from tests.ward.conftest import THEME, Running, until
from ward.bed import Beds
from ward.history import ENDS, KEPT_S, RISES, SILENCED, History, alarms_csv, trend_csv
from ward.server import Serving, WardServer


class Clock:
    def __init__(self) -> None:
        self.s = 1.8e9

    def __call__(self) -> float:
        return self.s


def a_history(path: Path, clock: Clock, said: list[str] | None = None) -> tuple[History, Beds]:
    history = History(path, (said if said is not None else []).append, clock)
    beds = Beds(number_of=history.number_of, log=history.event)
    history._beds = beds
    return history, beds


def a_day(path: Path, network: Network, clock: Clock) -> tuple[History, Beds]:
    history, beds = a_history(path, clock)
    bed = beds.add("Window")
    bed.sink(lambda event: None).open(a_description(network))
    bed.event(QualityChanged(frozenset(), "good"))
    bed.frame(a_frame(0))
    bed.event(Beat(61.25, at_s=0.0))
    history.keep()
    clock.s += 10
    bed.frame(a_frame(5, valid=False))
    bed.event(Alarm(AlarmKind.HIGH_RATE, True, "140 bpm, above 120"))
    bed.event(AlarmsSilenced((AlarmKind.HIGH_RATE,)))
    clock.s += 1
    bed.event(Alarm(AlarmKind.HIGH_RATE, False))
    history.keep()
    return history, beds


def test_a_trend_and_the_alarms_are_there_after_a_restart_and_the_bed_has_its_number(
    tmp_path: Path, network: Network
) -> None:
    clock, path = Clock(), tmp_path / "new" / "ward.sqlite"
    a_day(path, network, clock)
    history, beds = a_history(path, clock)
    beds.add("another")
    number = beds.add("Window").number
    points = history.trend(number)
    assert [point.bpm for point in points] == [61.25, 61.25] and {point.quality for point in points} == {""}
    assert [point.lost for point in points] == [0, 5]
    entries = history.alarms(number)
    assert [entry.what for entry in entries] == [ENDS, SILENCED, RISES]
    assert entries[-1].kind == AlarmKind.HIGH_RATE.value and entries[-1].why == "140 bpm, above 120"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_number_is_given_to_a_name_and_not_to_a_start(tmp_path: Path) -> None:
    """Or they would run out, by and by."""
    for _ in range(5):
        _, beds = a_history(tmp_path / "ward.sqlite", Clock())
        assert [beds.add(name).number for name in ("a", "b", "c")] == [1, 2, 3]
    assert beds.add("d").number == 4


def test_the_name_of_a_bed_goes_with_its_last_day_and_its_number_to_no_other(
    tmp_path: Path, network: Network
) -> None:
    clock = Clock()
    path = tmp_path / "ward.sqlite"
    a_day(path, network, clock)
    clock.s += KEPT_S / 2
    history, beds = a_history(path, clock)
    early = beds.add("Door")  # known, and nothing of it is kept yet
    history._beds = Beds()
    history.keep()
    assert {each.bed for each in history.alarms()} == {"Window"} and history.number_of("Door") == early.number
    clock.s += KEPT_S
    history.keep()
    assert b"Window" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert beds.add("Gate").number == early.number + 1


def test_what_is_older_than_a_day_is_dropped(tmp_path: Path, network: Network) -> None:
    clock, path = Clock(), tmp_path / "ward.sqlite"
    history, _ = a_day(path, network, clock)
    clock.s += KEPT_S + 1
    assert history.trend(1) == [] and history.alarms() == []
    history.keep()
    with sqlite3.connect(path) as file:
        assert file.execute("select count(*) from trend where at_s < ?", (clock.s - KEPT_S,)).fetchone() == (
            0,
        )
        assert file.execute("select count(*) from alarm").fetchone() == (0,)
    file.close()


def test_alarms_that_were_not_written_yet_are_listed(tmp_path: Path) -> None:
    history, beds = a_history(tmp_path / "ward.sqlite", Clock())
    beds.add("a").event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    assert [entry.bed for entry in history.alarms()] == ["a"]
    assert history.alarms(beds.add("b").number) == []


def test_a_disk_that_fails_is_said_once_and_what_waited_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    history, beds = a_history(tmp_path / "ward.sqlite", Clock(), said)
    bed = beds.add("a")
    bed.event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    opened = history._open

    def full() -> sqlite3.Connection:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(history, "_open", full)
    history.keep()
    history.keep()
    assert len(said) == 1
    monkeypatch.setattr(history, "_open", opened)
    history.keep()
    with sqlite3.connect(tmp_path / "ward.sqlite") as file:
        assert file.execute("select count(*) from alarm").fetchone() == (1,)
    file.close()


@pytest.mark.parametrize("content", [b"no database" * 1000, "newer"])
def test_a_file_that_is_no_history_of_ours_is_an_input_error_and_stays_as_it_is(
    tmp_path: Path, content: bytes | str
) -> None:
    path = tmp_path / "ward.sqlite"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        file = sqlite3.connect(path)
        file.execute("pragma user_version = 99")
        file.close()
    before = path.read_bytes()
    with pytest.raises(InputError):
        History(path, lambda text: None)
    assert path.read_bytes() == before or b"no database" not in before


def test_csv_has_a_row_for_each_and_nothing_that_a_spreadsheet_would_run(
    tmp_path: Path, network: Network
) -> None:
    history, beds = a_day(tmp_path / "ward.sqlite", network, Clock())
    beds.add("=cmd()").event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    rows = list(csv.DictReader(io.StringIO(alarms_csv(history.alarms()))))
    assert len(rows) == 4 and rows[0]["bed"] == "'=cmd()" and rows[0]["why"] == "no beat for 4 s"
    trend = list(csv.DictReader(io.StringIO(trend_csv(history.trend(1)))))
    assert [row["lost_samples"] for row in trend] == ["0", "5"] and float(trend[0]["bpm"]) > 60


def test_the_page_has_the_history_only_for_who_may_look(tmp_path: Path, network: Network) -> None:
    history, beds = a_day(tmp_path / "ward.sqlite", network, Clock())
    server = WardServer(beds, Serving(port=0), THEME, lambda text: None, history)
    server.start()
    running = Running(server, beds)
    try:
        assert until(lambda: _reached(running))
        _, cookie = running.log_in()
        for path in ("/alarms.json", "/alarms.csv", "/beds/1/trend.csv", "/beds/1/trend.json"):
            assert running.ask("GET", path)[0] == 401
            assert running.ask("GET", path, Cookie=cookie)[0] == 200
        assert running.ask("GET", "/alarms.exe", Cookie=cookie)[0] == 404
        _, headers, _ = running.ask("GET", "/beds/1/trend.csv", Cookie=cookie)
        assert "Window" not in headers["content-disposition"]
        alarms = json.loads(running.ask("GET", "/beds/1/alarms.json", Cookie=cookie)[2])["alarms"]
        assert [each["what"] for each in alarms] == [ENDS, SILENCED, RISES]
    finally:
        server.stop()


def _reached(running: Running) -> bool:
    try:
        return running.ask("GET", "/")[0] == 200
    except OSError:
        return False


def test_points_are_kept_by_themselves_and_the_last_one_at_the_end(
    tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ward.history.STEP_S", 0.2)
    history = History(tmp_path / "ward.sqlite", lambda text: None)
    beds = Beds(number_of=history.number_of)
    beds.add("a")
    history.start(beds)
    assert until(lambda: len(history.trend(1)) >= 2)
    before = len(history.trend(1))
    history.stop()
    assert len(history.trend(1)) > before and math.isnan(history.trend(1)[0].bpm)


def test_an_empty_ward_keeps_nothing(tmp_path: Path, serve: Callable[..., Running]) -> None:
    running = serve()
    _, cookie = running.log_in()
    assert running.ask("GET", "/alarms.json", Cookie=cookie)[0] == 404
