# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg monitor`, as it is typed: the whole window on a real session."""

from __future__ import annotations

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before anything imports Qt

import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QTimer
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from gui.settings import Settings
from gui.window import MonitorWindow
from mecg.__main__ import main

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="where settings lie is set by the XDG variables"
)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qapp: QApplication) -> Path:
    """The file in which the window remembers how it was left."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(tmp_path / "documents"))
    return tmp_path / "config" / "mecg" / "monitor.json"


@pytest.fixture
def hand(qapp: QApplication) -> Iterator[Callable[..., None]]:
    """Presses keys in the monitor's window, each once its condition holds, in this order."""
    todo: list[tuple[Callable[[MonitorWindow], object], str]] = []

    def look() -> None:
        for window in QApplication.topLevelWidgets():
            if todo and isinstance(window, MonitorWindow) and window.isVisible() and todo[0][0](window):
                QTest.keyClicks(window, todo.pop(0)[1])

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(100)
    yield lambda *what: todo.extend(what)
    timer.stop()
    assert not todo


def has_signal(window: MonitorWindow) -> bool:
    return window.seen()[1] > 0.5


def test_the_window_remembers_how_it_was_left_for_the_user_alone(
    kept: Path, model_file: Path, hand: Callable[..., None]
) -> None:
    hand((has_signal, "d"), (lambda window: b"dark" in kept.read_bytes(), "q"))
    assert main(["monitor", "synthetic:?rate=250", "--model", str(model_file), "--seconds", "60"]) == 0
    settings = Settings(kept)
    assert settings.recent == ["synthetic:?rate=250"]
    assert settings.get("look", {})["theme"] == "dark"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_a_picture_is_the_same_whatever_is_remembered(
    kept: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Settings(kept).keep("look", {"theme": "dark"})
    before = kept.read_bytes()
    picture = tmp_path / "a.png"
    command = ["monitor", "synthetic:?rate=250", "--model", str(model_file), "--screenshot", str(picture)]
    assert main([*command, "--seconds", "1"]) == 0
    assert picture.stat().st_size > 10_000 and kept.read_bytes() == before


def test_a_page_comes_out_of_the_running_window(
    kept: Path, model_file: Path, tmp_path: Path, hand: Callable[..., None]
) -> None:
    folder = tmp_path / "documents" / "mecg"
    hand((has_signal, "p"), (lambda window: list(folder.glob("*.png")), "q"))
    assert main(["monitor", "synthetic:?rate=250", "--model", str(model_file), "--seconds", "60"]) == 0
    assert {file.suffix for file in folder.iterdir()} == {".pdf", ".png"}


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ([], True),
        (["--record", "here"], True),
        (["synthetic:"], False),
        (["--lead", "II"], False),
        (["--start", "3"], False),
        (["--loop"], False),
        (["--seconds", "2"], False),
        (["--screenshot", "a.png"], False),
    ],
)
def test_the_window_asks_for_a_source_only_if_nothing_needs_one_at_once(
    options: list[str], asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def show(session: object, window: object, *, start_page: bool = False, bed: object = None) -> int:
        asked.append(start_page)
        return 0

    monkeypatch.setattr("mecg.cli.monitor.show", show)
    assert main(["monitor", *options]) == 0
    assert asked == [asks]
