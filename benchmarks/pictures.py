# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the monitor, by the real program from real recordings: what `make screenshots` runs.

    python -m benchmarks.pictures              # those of the README and the documentation, into docs/images
    python -m benchmarks.pictures --all DIR    # each layout, theme and way to run, in three sizes, to look at

Each picture is `mecg monitor SOURCE --screenshot FILE` in a process of its own, with keys pressed, and files
dropped, as a person would.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.measure import ROOT

IMAGES = ROOT / "docs" / "images"
RECORD = "recordings/ptb-xl/00010_hr"
LONG_RECORD = "recordings/ptb/s0010_re"
SECONDS = 8.8
LEARNT_S = 16.0
"""Time enough to learn a person also beside other work."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture and how to come by it."""

    name: str
    keys: str = ""
    """Pressed one after the other, a second before the picture is taken; ``~`` is Return."""
    size: tuple[int, int] = (1600, 900)
    source: str = RECORD
    seconds: float = SECONDS
    calibrate_from: str = ""
    """A record or .npz that is dropped on the Calibrate dialog, which is then the picture."""


DOCUMENTED = (
    Picture("monitor", size=(1440, 810)),
    Picture("monitor-truth", "tl", (1440, 810)),
    Picture("monitor-dark", "dll", (1440, 810)),
    Picture("calibrate", "c", (1480, 850), LONG_RECORD, LEARNT_S, f"{LONG_RECORD}.hea"),
)


def everything() -> list[Picture]:
    """Each layout x theme x size, sweeping and scrolling, with and without truth."""
    sizes = ((1920, 1080), (1280, 720), (1024, 600))
    layouts = {"3x4": "", "6x2": "l", "12x1": "ll", "one": "~"}
    pictures = []
    for size, (layout, keys), dark in product(sizes, layouts.items(), (False, True)):
        theme = "dark" if dark else "light"
        more = {1920: "t", 1280: "s", 1024: ""}[size[0]]
        name = f"{layout}-{theme}-{size[0]}"
        pictures.append(Picture(name, ("d" if dark else "") + keys + more, size))
    pictures.append(Picture("help-1280", "?", (1280, 720)))
    pictures.append(Picture("help-1024", "d?", (1024, 600)))
    pictures.append(Picture("not-lead-i-1280", "", (1280, 720), "recordings/mitdb/100 --lead MLII"))
    for size, dark in product(sizes, (False, True)):
        name, keys = f"calibrate-{'dark' if dark else 'light'}-{size[0]}", "dc" if dark else "c"
        file = f"{RECORD if dark else LONG_RECORD}.hea"  # learned from and shown on the same, or not
        pictures.append(Picture(name, keys, size, seconds=LEARNT_S, calibrate_from=file))
    pictures.append(Picture("not-lead-i-1024", "l", (1024, 600), "recordings/mitdb/100 --lead MLII"))
    return pictures


_ONE = """
import sys
from PyQt6.QtCore import QTimer, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from gui.dialogs.calibrate import CalibrateDialog
from gui.window import MonitorWindow
from mecg.__main__ import main

keys, width, height, seconds, teach, *arguments = sys.argv[1:]
dialogs = []
app = QApplication(["mecg"])

def windows():
    return [window for window in app.topLevelWidgets() if isinstance(window, MonitorWindow)]

def fit():
    for window in windows():
        window.resize(int(width), int(height))
    if not windows():
        QTimer.singleShot(20, fit)

def press():
    for window in windows():
        for key in keys:
            if key == "~":
                QTest.keyClick(window, Qt.Key.Key_Return)
            else:
                QTest.keyClicks(window, key)
        for dialog in window.findChildren(CalibrateDialog):
            if teach:
                dialog.open_file(teach)

def look():
    for window in windows():
        dialogs.extend(one.grab() for one in window.findChildren(CalibrateDialog) if one.picture.preview)

QTimer.singleShot(0, fit)
QTimer.singleShot(round(1000 * (float(seconds) - (10.0 if teach else 1.0))), press)
QTimer.singleShot(round(1000 * (float(seconds) - 0.2)), look)
code = main(["monitor", *arguments, "--seconds", seconds, "--force"])
if teach and not dialogs:
    sys.exit(f"nothing was learned from {teach} in time")
if teach:
    dialogs[-1].save(arguments[-1], "PNG")
sys.exit(code)
"""


def take(picture: Picture, folder: Path) -> Path:
    """Take one picture.

    Raises
    ------
    RuntimeError
        The program said that it could not.
    """
    file = folder / f"{picture.name}.png"
    with tempfile.TemporaryDirectory() as home:  # nobody's settings
        done = subprocess.run(
            [
                *(sys.executable, "-c", _ONE, picture.keys, *map(str, picture.size), str(picture.seconds)),
                *(picture.calibrate_from, *picture.source.split(" "), "--screenshot", str(file)),
            ],
            cwd=ROOT,
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{picture.name}: exit code {done.returncode}: {done.stderr}")
    return file


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", type=Path, metavar="DIR", help="every layout, theme and size, into DIR")
    arguments = parser.parse_args()
    folder, pictures = arguments.all or IMAGES, everything() if arguments.all else list(DOCUMENTED)
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        for file in pool.map(lambda picture: take(picture, folder.resolve()), pictures):
            print(file)


if __name__ == "__main__":
    main()
