# SPDX-License-Identifier: GPL-3.0-or-later
"""What other threads have to say when the window has been closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import atexit, sys, threading
from pathlib import Path

what, folder = sys.argv[1:]
gone = threading.Event()


def after_qt():
    gone.set()
    for thread in threading.enumerate():
        if thread.name == what:
            thread.join(20)
            print("said it after the end")


atexit.register(after_qt)  # before Qt is imported: it is called when Qt has taken itself apart

from PyQt6.QtCore import QTimer
from gui import main_panels, page_commands
from gui.controller import SourceRequest
from mecg.__main__ import main
from mecg.app.controller import Controller


def late(*args):
    gone.wait(60)
    return (Path(folder) / "page.pdf",)


class Panels(main_panels.MainPanels):
    def __init__(self, *args):
        super().__init__(*args)
        do = {
            "page": self.pages.write_page,
            "report": lambda: self.reports.make("a file"),
            "opening a source": lambda: self.sources.opener.open(SourceRequest("synthetic:")),
        }[what]
        QTimer.singleShot(1500, do)


write_beside = page_commands.write_beside
page_commands.write_beside = lambda *args: write_beside(*args[:-1], late)
Controller.report = Controller.open = late
main_panels.MainPanels = Panels
sys.exit(main(["monitor", "synthetic:", "--seconds", "2.5"]))
"""


@pytest.mark.parametrize("what", ["page", "report", "opening a source"])
def test_a_window_that_is_closed_while_a_thread_works_ends_with_code_0(what: str, tmp_path: Path) -> None:
    """Whatever the thread has to say then comes after Qt has gone: it was a segmentation fault."""
    env = os.environ | {"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, what, str(tmp_path)],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "said it after the end" in done.stdout, done.stderr
