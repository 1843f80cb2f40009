# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bedside on another machine says in its marker stream reaches who receives its leads."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pylsl
import pytest

from devices.lsl.inlet import LslStream
from devices.lsl.library import load_pylsl
from devices.lsl.sender_events import SenderEvents
from streamer.core.events import SenderSaid, State
from tests.devices.lsl.lsl_rig import Reception

ROOT = Path(__file__).resolve().parents[3]


class Bedside:
    """`bedside_sender` in a process of its own."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.devices.lsl.bedside_sender", name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.wait_for("ready")

    def wait_for(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"

    def say(self, *lines: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.writelines(json.dumps(line) + "\n" for line in lines)
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def a_bedside(name: str) -> Iterator[Bedside]:
    bedside = Bedside(name)
    try:
        yield bedside
    finally:
        bedside.kill()


def said(received: Reception) -> list[str]:
    return [event.marker for event in received.events if isinstance(event, SenderSaid)]


def test_all_that_a_bedside_says_is_heard_once_and_in_order_and_again_after_it_was_gone() -> None:
    with a_bedside("bed-said") as bedside:
        received = Reception(LslStream("bed-said"))
        bedside.wait_for("heard")
        notes = [f"note {k}" for k in range(600)]  # more than a look takes
        bedside.say(["heart rate high", True, "131 bpm, above 120"], *notes, ["heart rate high", False])
        expected = [
            "alarm: heart rate high: 131 bpm, above 120",
            *(f"marker: {note}" for note in notes),
            "alarm: heart rate high: over",
        ]
        received.wait(lambda: len(said(received)) >= len(expected))
        assert said(received) == expected
        received.wait(lambda: received.samples)
        bedside.kill()
        received.wait(lambda: received.states[-1] is State.RECONNECTING)
        with a_bedside("bed-said") as again:
            again.wait_for("heard")
            again.say("back")
            received.wait(lambda: said(received)[-1] == "marker: back")
        received.stop()


@pytest.mark.parametrize("source_id", ["", "sender-1", "mecg-1' or '1'='1", "mecg-0123456789abcdeg"])
def test_markers_of_others_are_not_read(source_id: str) -> None:
    info = pylsl.StreamInfo("x", "Markers", 1, 0, pylsl.cf_string, f"{source_id}-events")
    outlet = pylsl.StreamOutlet(info)
    events = SenderEvents(load_pylsl(), source_id)
    end_s = time.monotonic() + 0.5
    while time.monotonic() < end_s:
        assert events.new() == []
    assert not outlet.have_consumers()


def test_what_an_evil_sender_says_is_printable_and_short_and_of_known_kinds() -> None:
    source_id = "mecg-0123456789abcdef"
    info = pylsl.StreamInfo("x", "Markers", 1, 0, pylsl.cf_string, f"{source_id}-events")
    outlet = pylsl.StreamOutlet(info)
    events = SenderEvents(load_pylsl(), source_id)
    end_s = time.monotonic() + 10
    while not outlet.have_consumers() and time.monotonic() < end_s:
        events.new()
        time.sleep(0.02)
    for text in (
        "alarm: \x1b[31m red",
        "marker: " + "x" * 5000,
        "beat",
        "state: ended",
        "",
        "last",
        "marker: end",
    ):
        outlet.push_sample([text])
    heard: list[SenderSaid] = []
    while not (heard and heard[-1].marker == "marker: end"):
        assert time.monotonic() < end_s
        heard += events.new()
        time.sleep(0.02)
    assert len(heard) == 3
    assert all(one.text.isprintable() and len(one.text) < 400 for one in heard)
