# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.app import run_monitor, why_no_display
from gui.signal.inbox import Inbox
from streamer.core.errors import InputError
from streamer.core.stream import Frame, StreamInfo

MakeFrame = Callable[..., Frame]
INFO = StreamInfo("wfdb:s0010_re", 250.0)


@pytest.fixture
def fed(frame: MakeFrame, qapp: QApplication) -> Iterator[Inbox]:
    """An inbox that another thread fills in real time."""
    inbox, stop = Inbox(), threading.Event()

    def fill() -> None:
        index = 0
        while not stop.wait(0.02):
            inbox.frame(frame(index, 5))
            index += 5

    thread = threading.Thread(target=fill)
    thread.start()
    yield inbox
    stop.set()
    thread.join()


def test_a_screenshot_is_written_and_the_window_closes(fed: Inbox, tmp_path: Path) -> None:
    closed: list[bool] = []
    file = tmp_path / "monitor.png"
    began_s = time.monotonic()
    code = run_monitor(
        fed, INFO, "a model", 66.0, on_close=lambda: closed.append(True), screenshot=file, seconds=1.0
    )
    assert code == 0
    assert closed == [True]
    assert 0.9 < time.monotonic() - began_s < 10
    picture = QImage(str(file))
    assert (picture.width(), picture.height()) == (1600, 900)
    blue = sum(
        picture.pixelColor(x, y).blue() > picture.pixelColor(x, y).red() + 60
        for x in range(400, 790, 3)
        for y in range(170, 830, 2)
    )
    assert blue > 50  # a reconstructed trace is there


def test_it_closes_by_itself_after_so_many_seconds(fed: Inbox) -> None:
    closed: list[bool] = []
    assert run_monitor(fed, INFO, "", 66.0, on_close=lambda: closed.append(True), seconds=0.3) == 0
    assert closed == [True]


def test_a_picture_that_cannot_be_written_is_an_input_error(fed: Inbox, tmp_path: Path) -> None:
    closed: list[bool] = []
    with pytest.raises(InputError, match="cannot write"):
        run_monitor(
            fed,
            INFO,
            "",
            66.0,
            on_close=lambda: closed.append(True),
            screenshot=tmp_path / "no such folder" / "a.png",
            seconds=0.3,
        )
    assert closed == [True]


def test_ctrl_c_closes_the_window(fed: Inbox) -> None:
    closed: list[bool] = []
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    assert run_monitor(fed, INFO, "", 66.0, on_close=lambda: closed.append(True), seconds=20.0) == 130
    timer.join()
    assert closed == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_the_window_reaches_the_caller(
    fed: Inbox, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    from gui.window import MonitorWindow

    def fail(self: MonitorWindow) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(MonitorWindow, "tick", fail)
    closed: list[bool] = []
    with pytest.raises(RuntimeError, match="a fault of ours"):
        run_monitor(fed, INFO, "", 66.0, on_close=lambda: closed.append(True), seconds=5.0)
    assert closed == [True]


def test_here_a_window_can_be_opened() -> None:
    assert why_no_display() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_without_a_display_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    why = why_no_display()
    assert why is not None and "DISPLAY" in why and "\n" not in why


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 only")
def test_a_display_that_does_not_answer_is_told_and_does_not_end_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":97")
    why = why_no_display()
    assert why is not None and "\n" not in why
    assert "could not connect to display :97" in why or "apt-get install" in why


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="plugins of Linux")
def test_a_platform_plugin_that_cannot_be_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "no-such-platform")
    why = why_no_display()
    assert why is not None and "apt-get install libegl1" in why and "\n" not in why


@pytest.mark.parametrize(
    "words", ["ImportError('libEGL.so.1: cannot open shared object file')", "ModuleNotFoundError('PyQt6')"]
)
def test_a_missing_qt_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str) -> None:
    (tmp_path / "PyQt6").mkdir()
    (tmp_path / "PyQt6" / "__init__.py").write_text(f"raise {words}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    why = why_no_display()
    assert why is not None and words.split("'")[1] in why and "\n" not in why


def test_without_the_extra_what_is_to_be_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyqtgraph", None)
    why = why_no_display()
    assert why is not None and "pip install 'mecg-streamer[gui]'" in why and "\n" not in why


def test_the_module_itself_needs_no_qt() -> None:
    script = (
        "import sys; sys.modules['PyQt6'] = None; sys.modules['pyqtgraph'] = None;"
        "import gui.app, gui.signal.inbox, gui.signal.trace_buffer, gui.paper.geometry, gui.signal.playout;"
        "import gui.theme"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
