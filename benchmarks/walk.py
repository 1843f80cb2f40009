# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk through the monitor: every key and every state, at five sizes and in both themes, to look at.

    xvfb-run -s "-screen 0 3840x2160x24" python -m benchmarks.walk DIR
    QT_QPA_PLATFORM=offscreen python -m benchmarks.walk DIR --sizes 800x480 --themes dark

The real program, on a real record; states that a record does not have (an alarm, a lost link) are told to the
window.  Each picture is a PNG in DIR/SIZE-THEME, and sheets of them lie beside those folders.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import ROOT

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QWidget

    from gui.window import MonitorWindow

SIZES = ("800x480", "1024x600", "1366x768", "1920x1080", "3840x2160")
THEMES = ("light", "dark")
RECORD = "recordings/ptb-xl/00010_hr"
SIGNAL_S = 11.0
"""So much has come before the first picture."""


@dataclass(frozen=True, slots=True)
class Step:
    """A picture, and what is done before it and after it."""

    name: str
    do: Callable[[MonitorWindow], object]
    undo: Callable[[MonitorWindow], object] = lambda window: None


def keys(before: str, after: str = "") -> tuple[Callable[[MonitorWindow], None], ...]:
    """Keys before a picture and after it; ``~`` is Return, ``^`` Escape."""

    def press(some: str) -> Callable[[MonitorWindow], None]:
        return lambda window: [_press(window, key) for key in some] and None

    return press(before), press(after)


def _press(window: MonitorWindow, key: str) -> None:
    from PyQt6.QtCore import Qt
    from PyQt6.QtTest import QTest

    named = {
        "~": Qt.Key.Key_Return,
        "^": Qt.Key.Key_Escape,
        "←": Qt.Key.Key_Left,
        "↓": Qt.Key.Key_Down,
        "⇞": Qt.Key.Key_PageUp,
        "⇱": Qt.Key.Key_Home,
        "⇲": Qt.Key.Key_End,
    }
    if key in named:
        QTest.keyClick(window, named[key])
    else:
        QTest.keyClicks(window, key)


def steps() -> Iterator[Step]:
    """All of them, in their order."""
    plain = {
        "running": ("", ""),
        "gain-up": ("+", "-"),
        "gain-down": ("-", "+"),
        "gain-auto": ("a", "a"),
        "speed-up": ("]", "["),
        "speed-down": ("[", "]"),
        "layout-6x2": ("l", "ll"),
        "layout-12x1": ("ll", "l"),
        "consecutive": ("n", "n"),
        "scroll": ("s", "s"),
        "consecutive-scroll": ("ns", "ns"),
        "selected": ("↓↓", "^"),
        "one-lead": ("↓↓~", "^^"),
        "rhythm-diagnostic": ("r", "rr"),
        "rhythm-II": ("rr", "r"),
        "no-band": ("b", "b"),
        "truth": ("t", "t"),
        "truth-12x1": ("tll", "tl"),
        "alternatives": ("v", "v"),
        "latency": ("w", "w"),
        "help": ("?", "?"),
        "frozen": (" ", " "),
        "a-second-back": ("←", " "),
        "a-screen-back": ("⇞", " "),
        "oldest": ("⇱", " "),
        "paused": ("k", "k"),
        "faster": (">", "<"),
        "slower": ("<", ">"),
    }
    for name, (before, after) in plain.items():
        yield Step(name, *keys(before, after))
    for number, measure in enumerate(("calipers", "calipers-RR", "calipers-QT")):
        yield Step(measure, _measured(number), _unmeasured(number))
    yield Step("marker-note", keys("m")[0], _note_kept)
    yield Step("marker", *keys(" ", " "))
    for name, key in (("connect", "o"), ("limits", "h"), ("model-limits", "i"), ("calibrate", "c")):
        yield Step(f"dialog-{name}", *keys(key))
    yield from _told()


def _measured(number: int) -> Callable[[MonitorWindow], None]:
    def do(window: MonitorWindow) -> None:
        from gui.paper.calipers import Calipers, Spot

        _press(window, " ")
        _, edge_s = window.seen()
        for key in "y" * number + "z" * (number == 1):
            _press(window, key)
        window.calipers.span(Calipers(Spot("II", edge_s - 1.6, 0.2), Spot("II", edge_s - 0.8, 0.8)))

    return do


def _unmeasured(number: int) -> Callable[[MonitorWindow], None]:
    return keys("", "^" + "y" * (-number % 3) + "z" * (number == 1) + " ")[1]


def _note_kept(window: MonitorWindow) -> None:
    from PyQt6.QtTest import QTest

    QTest.keyClicks(window.time.note, "dizzy, sat up")
    window.time.note.returnPressed.emit()


def _told() -> Iterator[Step]:
    """States that are told to the window."""
    from streamer.core.events import (
        Alarm,
        AlarmKind,
        Drift,
        Event,
        Quality,
        QualityChanged,
        State,
        StateChanged,
    )

    def tell(*events: Event) -> Callable[[MonitorWindow], None]:
        return lambda window: [window.stream.inbox.event(event) for event in events] and None

    for kind in AlarmKind:
        why = {AlarmKind.LOW_RATE: "39 bpm, below 50", AlarmKind.HIGH_RATE: "131 bpm, above 120"}
        rises, over = Alarm(kind, True, why.get(kind, "no beat for 4 s")), Alarm(kind, False)
        yield Step(f"alarm-{kind.name.lower()}", tell(rises), tell(over))
    every = [Alarm(kind, True, "39 bpm, below 50") for kind in AlarmKind]
    yield Step("alarm-all", tell(*every))
    yield Step("alarm-silenced", keys("x")[0], tell(*(Alarm(kind, False) for kind in AlarmKind)))
    good = QualityChanged(frozenset(), "quality: good")
    for flag in Quality:
        wrong = QualityChanged(frozenset({flag}), f"{flag.value}: a reason, as long as reasons are")
        yield Step(f"quality-{flag.name.lower()}", tell(wrong), tell(good))
    yield Step("recalibrate", tell(Drift(3.5)), tell(Drift(0.0)))
    for state in State:
        if state is not State.LIVE:
            said = StateChanged(state, f"{state.value}: a reason, as long as reasons are")
            yield Step(f"state-{state.name.lower()}", tell(said), tell(StateChanged(State.LIVE, "receiving")))


def walk(folder: Path, size: tuple[int, int], theme: str) -> None:
    """Take every picture at one size in one theme; in a process of its own."""
    from PyQt6.QtCore import QTimer
    from PyQt6.QtWidgets import QApplication

    from gui.window import MonitorWindow
    from mecg.__main__ import main

    app = QApplication(["mecg"])

    def window_of() -> MonitorWindow | None:
        found = [one for one in app.topLevelWidgets() if isinstance(one, MonitorWindow) and one.isVisible()]
        return found[0] if found else None

    def settle(seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            app.processEvents()

    def begin() -> None:
        window = window_of()
        if window is None or not window.seen()[1] > SIGNAL_S:
            QTimer.singleShot(100, begin)
            return
        if theme == "dark":
            _press(window, "d")
        for number, step in enumerate(steps()):
            step.do(window)
            settle(0.45)
            _save(window, folder / f"{number:02d}-{step.name}.png")
            step.undo(window)
            for dialog in _dialogs(window):
                dialog.close()
            settle(0.05)
        window.close()

    def fit() -> None:
        window = window_of()
        if window is None:
            QTimer.singleShot(20, fit)
            return
        window.showNormal()
        window.resize(*size)

    QTimer.singleShot(0, fit)
    QTimer.singleShot(0, begin)
    main(["monitor", RECORD, "--loop", "--seconds", "600"])


def start_page(folder: Path, size: tuple[int, int], theme: str) -> None:
    """The window before there is a source; in a process of its own."""
    from PyQt6.QtCore import QTimer
    from PyQt6.QtWidgets import QApplication

    from gui.window import MonitorWindow
    from mecg.__main__ import main

    app = QApplication(["mecg"])

    def look() -> None:
        for window in app.topLevelWidgets():
            if isinstance(window, MonitorWindow) and window.isVisible():
                window.showNormal()
                window.resize(*size)
                if theme == "dark":
                    _press(window, "d")
                QTimer.singleShot(1500, lambda window=window: (save(window), window.close()))
                return
        QTimer.singleShot(50, look)

    def save(window: MonitorWindow) -> None:
        _save(window, folder / "zz-start-page.png")

    QTimer.singleShot(0, look)
    main(["monitor"])


def _dialogs(window: MonitorWindow) -> list[QWidget]:
    from PyQt6.QtWidgets import QDialog

    return [one for one in window.findChildren(QDialog) if one.isVisible()]


def _save(window: MonitorWindow, file: Path) -> None:
    from PyQt6.QtWidgets import QApplication

    window.tick()
    QApplication.processEvents()  # words that changed have their place
    dialogs = _dialogs(window)
    picture = (dialogs[-1] if dialogs else window).grab()
    if not picture.save(str(file), "PNG"):
        raise SystemExit(f"cannot write {file}")


def sheets(folder: Path, across: int, down: int, wide: int) -> None:
    """Pictures of a folder on sheets, with their names."""
    from PyQt6.QtCore import QRect, Qt
    from PyQt6.QtGui import QColor, QGuiApplication, QImage, QPainter

    app = QGuiApplication.instance() or QGuiApplication([])
    files = sorted(folder.glob("*.png"))
    for page in range(0, len(files), across * down):
        some = files[page : page + across * down]
        images = [
            QImage(str(file)).scaledToWidth(wide, Qt.TransformationMode.SmoothTransformation) for file in some
        ]
        tall = max(image.height() for image in images) + 18
        sheet = QImage(across * wide, tall * -(-len(some) // across), QImage.Format.Format_RGB32)
        sheet.fill(QColor("#888888"))
        painter = QPainter(sheet)
        for number, (file, image) in enumerate(zip(some, images, strict=True)):
            x, y = number % across * wide, number // across * tall
            painter.drawImage(x, y + 18, image)
            painter.drawText(QRect(x + 4, y, wide, 18), Qt.AlignmentFlag.AlignVCenter, file.stem)
        painter.end()
        sheet.save(str(folder.parent / f"{folder.name}-{page // (across * down):02d}.png"))
    del app


def main() -> None:
    """Walk at each size in each theme, one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--themes", nargs="+", default=THEMES, choices=THEMES)
    parser.add_argument("--one", choices=("walk", "start"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for size in arguments.sizes:
        wide, tall = map(int, size.split("x"))
        for theme in arguments.themes:
            folder = (arguments.folder / f"{size}-{theme}").resolve()
            if arguments.one:
                {"walk": walk, "start": start_page}[arguments.one](folder, (wide, tall), theme)
                return
            folder.mkdir(parents=True, exist_ok=True)
            for part in ("walk", "start"):
                with tempfile.TemporaryDirectory() as home:  # nobody's settings
                    _ask(arguments.folder, size, theme, part, home)
            across = 3 if wide < 1300 else 4
            sheets(folder, across, 4, 1800 // across)
            print(folder)


def _ask(folder: Path, size: str, theme: str, part: str, home: str) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.walk", str(folder.resolve())),
            *("--sizes", size, "--themes", theme, "--one", part),
        ],
        cwd=ROOT,
        env=os.environ | {"XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home, "XDG_DOCUMENTS_DIR": home},
        check=True,
    )


if __name__ == "__main__":
    main()
