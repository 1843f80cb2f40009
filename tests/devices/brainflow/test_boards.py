# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands here of BrainFlow's boards goes with what BrainFlow says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

board_shim = pytest.importorskip("brainflow.board_shim")

from devices.brainflow import boards  # noqa: E402
from devices.brainflow.library import WHY, explain, load_brainflow  # noqa: E402
from devices.registry import open_source  # noqa: E402
from streamer.core.errors import Field, InputError  # noqa: E402
from streamer.core.stream import Placement  # noqa: E402

SHIM = load_brainflow()
NAMES = boards.names_of(SHIM)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_board_is_found_as_it_is_written_elsewhere(name: str) -> None:
    member = SHIM.BoardIds(NAMES[name]).name
    for text in (name, name.upper(), member, member.lower(), name.replace("_", "-"), name.replace("_", "")):
        assert boards.find(SHIM, text) == name


def test_what_is_kept_of_a_board_is_kept_under_a_name_that_brainflow_has() -> None:
    for table in (boards._NUMBERINGS, boards._NEEDS, dict.fromkeys(boards._COUNTS)):
        assert set(table) <= set(NAMES)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(boards.STAND_INS)))
def test_every_board_has_rows_or_says_that_it_has_none(name: str) -> None:
    try:
        board = boards.describe(SHIM, name)
    except InputError as error:
        assert "no ECG" in error.line
        return
    assert board.rows and board.rate_hz > 0
    assert all(0 <= row.index < board.width for row in board.rows)
    if board.ecg:
        assert [row.index for row in board.rows] == SHIM.BoardShim.get_ecg_channels(NAMES[name])


def test_every_exit_code_has_one_line_that_says_what_to_do() -> None:
    lines = [WHY[code.value] for code in SHIM.BrainFlowExitCodes if code.value]
    assert len(set(lines)) == len(lines) == len(SHIM.BrainFlowExitCodes) - 1
    for code in SHIM.BrainFlowExitCodes:
        if code.value:
            for on_a_port in (True, False):
                line = explain(SHIM.BrainFlowError("", code.value), on_a_port)
                assert "\n" not in line and ";" in line and "Error" not in line and code.name not in line
                assert on_a_port or "dialout" not in line


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("brainflow:", None),
        ("brainflow:citon?serial_port=x", None),
        ("brainflow:cyton", None),
        ("brainflow:cyton?serial_port=/dev/no-such-port", None),
        ("brainflow:cyton?port=/dev/ttyUSB0", None),
        ("brainflow:cyton?serial_port=", None),
        ("brainflow:synthetic?channel=17", Field.LEAD),
        ("brainflow:synthetic?channel=V1", Field.LEAD),
        ("brainflow:synthetic?channel=1&channel=2", None),
        ("brainflow:synthetic?timeout=soon", None),
        ("brainflow:emotibit", None),
        ("brainflow:playback_file?file=none.csv", None),
        ("brainflow:playback_file?file=none.csv&master=cyton", None),
        ("brainflow:shimmer3?serial_port=/dev/no-such-port", Field.UNIT),
        ("brainflow:callibri_ecg", None),
    ],
)
def test_what_cannot_be_opened_says_so_in_one_line(
    text: str, field: Field | None, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError) as refused:
        open_source(text).open()
    assert refused.value.field is field and "\n" not in str(refused.value)
    assert "BrainFlowError" not in str(refused.value)
    assert capfd.readouterr() == ("", "")  # BrainFlow logs to the terminal unless it is told not to


@pytest.mark.parametrize("gain", [1, 2, 4, 6, 8, 12, 24])
def test_both_ends_of_a_converter_are_found_and_what_is_near_is_not(gain: int) -> None:
    step = 4.5e6 / (2**23 - 1) / gain
    ends = np.array([2**23 - 1, -(2**23)]) * step
    assert boards.at_rail(ends).all()
    assert not boards.at_rail(np.array([0.0, ends[0] * 0.999, ends[1] * 0.999, np.nan])).any()


def test_a_channel_is_named_by_number_or_electrode(tmp_path: Path) -> None:
    board = boards.describe(SHIM, "cyton")
    for text in ("3", "channel 3", "C3", "c3"):
        assert board.row(text).number == 3
    source = open_source("brainflow:synthetic?channel=Cz", placement=Placement.ARMS)
    info = source.open()
    source.stop()
    assert (info.lead, info.is_lead_i, info.rate_hz, info.live) == ("channel 3", True, 250.0, True)
