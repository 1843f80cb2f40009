# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest
from pytestqt.qtbot import QtBot

from gui.controller import RunningSession, SourceRequest
from gui.dialogs.source_opener import SourceOpener
from tests.gui.a_controller import AController


class Rig:
    def __init__(self, qtbot: QtBot, **controller: object) -> None:
        self.controller = AController(**controller)  # type: ignore[arg-type]
        self.switch = SourceOpener(self.controller, None, again_s=(0.02, 0.05))
        self.opened: list[RunningSession] = []
        self.failed: list[tuple[SourceRequest, str]] = []
        self.busy: list[str] = []
        self.switch.opened.connect(self.opened.append)
        self.switch.failed.connect(lambda request, why: self.failed.append((request, why)))
        self.switch.busy.connect(self.busy.append)


@pytest.fixture
def rig(qtbot: QtBot) -> Rig:
    return Rig(qtbot)


def test_opening_waits_for_nobody(rig: Rig, qtbot: QtBot) -> None:
    rig.controller.hold.clear()
    began_s = time.monotonic()
    rig.switch.open(SourceRequest("lsl:slow"))
    assert time.monotonic() - began_s < 0.5 and rig.busy == ["lsl:slow"] and not rig.opened
    rig.controller.hold.set()
    qtbot.waitUntil(lambda: len(rig.opened) == 1)
    assert rig.opened[0].request.source == "lsl:slow" and rig.busy == ["lsl:slow", ""]


def test_steps_are_told_as_they_are_made(rig: Rig, qtbot: QtBot) -> None:
    steps: list[str] = []
    rig.switch.step.connect(steps.append)
    rig.switch.open(SourceRequest("polar:"))
    qtbot.waitUntil(lambda: len(rig.opened) == 1)
    assert steps == ["a step towards it"]


def test_a_refusal_is_told_in_one_line_and_the_window_lives(rig: Rig, qtbot: QtBot) -> None:
    rig.controller.refuse = "there is\nno such stream"
    rig.switch.open(SourceRequest("lsl:x"))
    qtbot.waitUntil(lambda: len(rig.failed) == 1)
    assert rig.failed == [(SourceRequest("lsl:x"), "there is no such stream")] and not rig.opened
    rig.controller.refuse = ""
    rig.switch.open(SourceRequest("lsl:x"))
    qtbot.waitUntil(lambda: len(rig.opened) == 1)


def test_the_last_wish_holds_and_those_between_are_never_opened(rig: Rig, qtbot: QtBot) -> None:
    rig.controller.hold.clear()
    for name in ("a", "b", "c", "d"):
        rig.switch.open(SourceRequest(f"wfdb:{name}"))
    rig.controller.hold.set()
    qtbot.waitUntil(lambda: len(rig.opened) == 2)
    qtbot.wait(50)
    assert [request.source for request in rig.controller.opened] == ["wfdb:a", "wfdb:d"]


def test_a_live_source_that_ended_is_opened_again_until_it_is_there(qtbot: QtBot) -> None:
    rig = Rig(qtbot, players=False)
    rig.controller.refuse = "not there"
    for _ in range(50):  # asked five times a second, as the window does
        rig.switch.ended()
        qtbot.wait(10)
        if len(rig.controller.opened) >= 3:
            break
    assert len(rig.controller.opened) >= 3
    rig.controller.refuse = ""
    for _ in range(50):
        rig.switch.ended()
        qtbot.wait(10)
        if rig.opened:
            break
    assert [running.request.source for running in rig.opened] == ["wfdb:first"]


def test_a_replay_that_ended_stays_ended(rig: Rig, qtbot: QtBot) -> None:
    for _ in range(5):
        rig.switch.ended()
        qtbot.wait(20)
    assert not rig.controller.opened


def test_another_wish_ends_the_waiting_for_what_was_lost(qtbot: QtBot) -> None:
    rig = Rig(qtbot, players=False)
    rig.switch.ended()
    rig.controller.players = True
    rig.switch.open(SourceRequest("wfdb:other"))
    qtbot.waitUntil(lambda: len(rig.opened) == 1)
    qtbot.wait(100)
    assert [request.source for request in rig.controller.opened] == ["wfdb:other"]
