# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg monitor`, as it is typed: the whole window on a real session."""

from __future__ import annotations

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before anything imports Qt

import stat
import sys
from pathlib import Path

import pytest
from PyQt6.QtCore import QTimer
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from gui.monitor_window import MonitorWindow
from gui.settings import Settings
from mecg.__main__ import main

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="where settings lie is set by the XDG variables"
)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qapp: QApplication) -> Path:
    """The file in which the window remembers how it was left."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(tmp_path / "documents"))
    return tmp_path / "config" / "mecg" / "monitor.ini"


def after(seconds: float, keys: str) -> None:
    """Press keys in the monitor's window, once it has been there for so long."""

    def press() -> None:
        for window in QApplication.topLevelWidgets():
            if isinstance(window, MonitorWindow) and window.isVisible():
                QTest.keyClicks(window, keys)

    QTimer.singleShot(round(1000 * seconds), press)


def test_the_window_remembers_how_it_was_left_for_the_user_alone(kept: Path, model_file: Path) -> None:
    after(1.0, "d")
    assert main(["monitor", "synthetic:?rate=250", "--model", str(model_file), "--seconds", "2"]) == 0
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


def test_a_page_comes_out_of_the_running_window(kept: Path, model_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "documents" / "mecg"
    after(1.5, "p")
    look = QTimer()
    look.timeout.connect(lambda: list(folder.glob("*.png")) and after(0, "q"))
    look.start(200)
    command = ["monitor", "synthetic:?rate=250", "--model", str(model_file)]
    assert main([*command, "--seconds", "60"]) == 0
    look.stop()
    assert {file.suffix for file in folder.iterdir()} == {".pdf", ".png"}
