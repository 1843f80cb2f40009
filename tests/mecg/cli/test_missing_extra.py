# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands that want a window do where Qt is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_QT = "import sys; sys.modules |= {'PyQt6': None, 'pyqtgraph': None}; from mecg.__main__ import main;"
HINT = "pip install 'mecg-streamer[gui]'"


@pytest.mark.parametrize("command", [["monitor"], ["monitor", "--screenshot", "page.png"]])
def test_the_window_says_in_one_line_what_to_install(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{WITHOUT_QT} sys.exit(main({command!r}))"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 2
    assert HINT in done.stderr and "Traceback" not in done.stderr


def test_the_demonstration_runs_without_a_window() -> None:
    probe = f"{WITHOUT_QT} import mecg.cli.demo as demo; demo.headless = lambda: 0; sys.exit(main(['demo']))"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert done.returncode == 0
    assert HINT in done.stderr and "Traceback" not in done.stderr
