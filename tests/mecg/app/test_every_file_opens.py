# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of file opens wherever a SOURCE is taken, with what it does not say stated by the user."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from devices.registry import open_source
from gui.controller import SourceRequest
from gui.error_text import sentence
from gui.settings import source_of_file
from mecg.app.controller import options_for
from mecg.app.options import SessionOptions, SourceOptions
from mecg.app.session_builder import source_of
from mecg.cli.parser import filled_parser
from streamer.core.errors import Field, InputError
from streamer.core.leads import canonical_lead
from streamer.core.network.network import Network
from streamer.core.stream import Placement
from streamer.formats.wfdb_writer import WfdbWriter
from streamer.lead_recording import open_recording
from tests.streamer.a_session import a_session

FILES = Path("tests/streamer/formats/files")
NAMES = sorted(
    path.name for path in FILES.iterdir() if path.name != "facts.json" and "no_rate" not in path.name
)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_dropped_on_the_window_can_be_opened(name: str) -> None:
    text = source_of_file(str((FILES / name).resolve()))
    assert text is not None
    try:
        info = open_source(text).open()
        assert info.is_lead_i or info.placement is Placement.CHEST
    except InputError as error:
        assert error.field is Field.LEAD and error.choices
        assert not open_source(text, lead=error.choices[0]).open().is_lead_i


@pytest.mark.parametrize("name", NAMES)
def test_placement_on_the_arms_is_heard_if_the_label_names_no_lead(name: str) -> None:
    recording = open_recording(FILES / name)
    unnamed = recording.names[0] if recording.leads[0].name is None else None
    info = open_source(str(FILES / name), placement=Placement.ARMS).open()
    assert info.is_lead_i and info.placement is Placement.ARMS
    if unnamed:
        assert open_source(str(FILES / name), lead=unnamed, placement=Placement.ARMS).open().is_lead_i
    else:
        assert canonical_lead(info.lead) == "I"


@pytest.mark.parametrize(
    "command", ["stream", "monitor", "reconstruct", "calibrate", "profile", "send", "report"]
)
def test_every_command_that_takes_a_file_takes_what_a_file_may_not_say(command: str) -> None:
    _, commands = filled_parser()
    options = {option for action in commands[command]._actions for option in action.option_strings}
    assert {"--unit", "--rate", "--lead", "--placement", "--invert"} <= options


def test_the_window_opens_again_what_was_stated_for_its_file_and_states_it_of_no_other() -> None:
    path = str(FILES / "apple_no_rate.csv")
    first = SessionOptions(source=SourceOptions(path, unit_mv=1e-3, rate_hz=512.0))
    again = options_for(SourceRequest(path), first, given=True)
    assert source_of(again.source).open().rate_hz == 512.0
    other = options_for(SourceRequest(path), first, given=False)
    with pytest.raises(InputError) as refused:
        source_of(other.source).open()
    assert refused.value.field is Field.RATE
    assert len(sentence(refused.value)) > len(refused.value.line)


def test_a_signal_file_without_its_header_is_not_taken_for_a_record(tmp_path: Path) -> None:
    (tmp_path / "lonely.dat").write_bytes(bytes(1000))
    assert source_of_file(str(tmp_path / "lonely.dat")) is None


def test_strips_of_a_calibration_are_read_with_what_is_stated(tmp_path: Path) -> None:
    from mecg.app.learning import strips_of

    text = f"II={FILES / 'apple_no_rate.csv'}"
    with pytest.raises(InputError):
        strips_of([text])
    strips, _ = strips_of([text], rate_hz=512.0)
    assert strips["II"][1] == 512.0


def test_a_lead_is_named_for_a_calibration(tmp_path: Path) -> None:
    from mecg.app.learning import recorded

    writer = WfdbWriter(tmp_path, "two", 250.0, signals=("ECG1", "ECG2"))
    writer.append(np.random.default_rng(1).normal(0, 0.2, (2, 2000)).astype(np.float32))
    path = str(writer.finish())
    info, _ = recorded(path, False, "arms", lead="ECG2")
    assert info.is_lead_i and info.lead == "ECG2"
    assert {field.name for field in fields(SourceOptions)} >= {"keep_identity", "rate_hz", "unit_mv"}


def test_placement_is_heard_for_a_recorded_session(network: Network, tmp_path: Path) -> None:
    path = a_session(tmp_path, network, 1500, lead="ECG", is_lead_i=False)
    for text in (f"session:{path}", str(path)):
        assert open_source(text, placement=Placement.ARMS).open().is_lead_i
        assert not open_source(text, lead="ECG").open().is_lead_i
        assert not open_source(text, placement=Placement.CHEST).open().is_lead_i
    path = a_session(tmp_path / "v5", network, 1500, lead="V5", is_lead_i=False)
    assert not open_source(f"session:{path}", placement=Placement.ARMS).open().is_lead_i
