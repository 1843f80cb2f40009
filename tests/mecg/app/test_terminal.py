# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing from outside reaches a terminal as a control or begins a line; nobody depends on who listens."""

from __future__ import annotations

import ast
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mecg.__main__ import main
from mecg.app.terminal import put, say
from streamer.core.events import Marker, Notice, Topic
from streamer.core.printable import encodable, printable
from streamer.recording.reader import Recording
from streamer.session.event_wire import words

ROOT = Path(__file__).parents[3]
HOSTILE = ROOT / "tests" / "hostile"
CONTROLS = [chr(i) for i in range(0x110000) if unicodedata.category(chr(i)) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def harmless(text: str) -> bool:
    return text.isprintable() and text == text.encode().decode()


def test_every_control_bidi_mark_separator_and_surrogate_is_escaped() -> None:
    assert len(CONTROLS) > 2200
    for character in CONTROLS:
        shown = printable(f"a{character}b")
        assert harmless(shown) and shown[0] == "a" and shown[-1] == "b"


@given(st.text(st.characters()), st.none() | st.integers(2, 50))
def test_whatever_the_text_what_is_shown_is_harmless_and_stays_so(text: str, most: int | None) -> None:
    shown = printable(text, most)
    assert harmless(shown) and printable(shown) == shown
    assert encodable(text).encode().decode() == encodable(text)
    if text.isprintable() and most is None:
        assert shown == text


@given(st.text(st.characters()))
def test_events_say_one_harmless_line(text: str) -> None:
    assert harmless(words(Marker(text))) and harmless(words(Notice(Topic.LINK, text)))


def test_say_and_put_write_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\r\nmecg: forged", "\x1b[2J\ud800")
    put("a\nb\u2028c", "d")
    out = capsys.readouterr()
    assert len(out.err.splitlines()) == 2 == len(out.out.splitlines())
    assert "\x1b" not in out.err and "\r" not in out.err


def test_commands_write_through_the_edge_only() -> None:
    found = []
    for path in (ROOT / "mecg").rglob("*.py"):
        if path.name in ("terminal.py", "exit_codes.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            printed = isinstance(node, ast.Name) and node.id == "print"
            streams = isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr")
            if printed or streams:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["sessions", str(HOSTILE)],
        ["info", "--model", str(HOSTILE / "esc.onnx")],
        ["stream", f"session:{HOSTILE / 'escapes.xdf'}", "--speed", "max"],
        ["export", str(HOSTILE / "escapes.xdf"), "--format", "csv", "--out", "OUT"],
        ["stream", "wfdb:a\x1b[31m\u202e"],
        ["stream", "a\ud800"],
        ["\x1b[31m\n"],
    ],
)
def test_hostile_text_is_shown_harmlessly(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(tmp_path) if part == "OUT" else part for part in arguments])
    out = capsys.readouterr()
    for line in (out.out + out.err).split("\n"):
        assert line.isprintable(), repr(line)
    assert "\n* F" not in out.out + out.err


def run(tmp_path: Path, shell: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m mecg {shell.replace('DIR', str(tmp_path / 's'))}"
    return subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full of Linux")
@pytest.mark.parametrize("listener", ["2>/dev/full", "2>&-", "2>&- >&-", ">/dev/full", ">&-"])
def test_a_recording_does_not_depend_on_who_listens(tmp_path: Path, listener: str) -> None:
    done = run(tmp_path, f"stream synthetic: --seconds 3 --speed max --record DIR {listener}")
    assert done.returncode == 0 and "Traceback" not in done.stderr
    (path,) = (tmp_path / "s").iterdir()
    with Recording.open(path) as recording:
        assert recording.complete and recording.seconds == 3.0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full of Linux")
@pytest.mark.parametrize("closed", [">&-", ">/dev/full"])
@pytest.mark.parametrize("what", ["info", "info --json", "stream synthetic: --seconds 1 --speed max --json"])
def test_data_that_cannot_be_written_is_one_line(tmp_path: Path, what: str, closed: str) -> None:
    done = run(tmp_path, f"{what} {closed}")
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if line.startswith("mecg:")]) == 1
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
