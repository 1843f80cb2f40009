# SPDX-License-Identifier: MIT
"""What BrainFlow's boards are called, which rows hold an ECG, and how their packages are numbered.

BrainFlow describes rate and rows of each board itself.  How a board numbers its packages it does not
say: that stands here, as its drivers do it (BrainFlow 5.23).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.live.counted import Numbering
from streamer.core.errors import Field, InputError

PLAYBACK, STREAMING = "playback_file", "streaming"
STAND_INS = (PLAYBACK, STREAMING)
"""They hand on what another board, their master, has recorded or sends."""

SYNTHETIC = "synthetic"

_BYTE = Numbering(256)
_GANGLION = ("ganglion", "ganglion_native")
_NUMBERINGS = {
    **dict.fromkeys(("synthetic", "cyton", "cyton_wifi", "cyton_daisy_wifi", "ganglion_wifi"), _BYTE),
    **dict.fromkeys(("freeeeg32", "freeeeg128", "ironbci_32", "ntl_wifi", "aavaa_v3"), _BYTE),
    "cyton_daisy": Numbering(256, step=2),  # of two packages one sample is made
    **dict.fromkeys(_GANGLION, Numbering(100, copies=2)),
    "explore_4_chan": Numbering(256, copies=33),
    "explore_8_chan": Numbering(256, copies=16),
    "explore_plus_8_chan": Numbering(256, copies=16),
    "explore_plus_32_chan": Numbering(256, copies=4),
    "biolistener": Numbering(2**32),
}
"""Others are numbered by the computer that receives them, or in a way that is not known here."""

_GANGLION_2 = Numbering(101, copies=2, lone_zero=True)
_COUNTS = ("shimmer3",)
"""Their rows are steps of the converter; all others are in microvolts."""

_NEEDS = {
    **dict.fromkeys(("cyton", "cyton_daisy", "ganglion", "freeeeg32", "freeeeg128"), ("serial_port",)),
    **dict.fromkeys(("cyton_wifi", "cyton_daisy_wifi", "ganglion_wifi"), ("ip_port",)),
    **dict.fromkeys(("neuropawn_knight", "neuropawn_knight_imu", "ironbci_32"), ("serial_port",)),
    PLAYBACK: ("file", "master"),
    STREAMING: ("ip_address", "ip_port", "master"),
}
_EXAMPLES = {"serial_port": "/dev/ttyUSB0", "ip_port": "6987", "ip_address": "225.1.1.1"}
_EXAMPLES |= {"file": "recorded.csv", "master": "cyton"}

_RAILS_UV = np.array(
    sorted({4.5e6 / gain for gain in (1, 2, 4, 6, 8, 12, 24)} | {2.4e6 / 6, 2.5e6 / 8, 1.2e6 / 1.5 / 51})
)
"""Where converters end: ADS1299 (OpenBCI, PiEEG), Explore, FreeEEG, Ganglion."""

_AT_RAIL = 1e-5
"""The Ganglion sends its 17 highest bits: its end is off by less than this share."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row that can hold an ECG."""

    index: int
    """In BrainFlow's array."""
    number: int
    """As printed on the board, from 1."""
    name: str = ""
    """Of the electrode that BrainFlow takes to be there; empty if it names none."""

    @property
    def label(self) -> str:
        """What the user reads."""
        return f"channel {self.number}"


@dataclass(frozen=True, slots=True)
class Board:
    """One kind of board, as BrainFlow describes it."""

    name: str
    rate_hz: float
    rows: tuple[Row, ...]
    number_row: int | None
    battery_row: int | None
    width: int
    """Rows in all."""
    numbering: Numbering | None
    in_uv: bool
    ecg: bool
    """BrainFlow says that its rows hold an ECG; otherwise they are of an amplifier for EEG or EMG."""

    def row(self, wanted: str | None) -> Row:
        """The row of a number or a name; the first for None.

        Raises
        ------
        InputError
            There is none.
        """
        if wanted is None:
            return self.rows[0]
        word = wanted.strip().casefold().removeprefix("channel").strip()
        for row in self.rows:
            if word == str(row.number) or (row.name and word == row.name.casefold()):
                return row
        named = [row.name or str(row.number) for row in self.rows]
        raise InputError(
            f"{self.name} has no channel {wanted!r}, only 1 to {len(self.rows)}", Field.LEAD, choices=named
        )


def names_of(shim: Any) -> dict[str, int]:
    """BrainFlow's number of each board, by its name here: ``CYTON_DAISY_BOARD`` is ``cyton_daisy``."""
    return {
        board.name.replace("_BOARD", "").lower(): board.value
        for board in shim.BoardIds
        if board.name != "NO_BOARD"
    }


def find(shim: Any, text: str) -> str:
    """The name of the board that the user means: capitals, dashes and a ``board`` behind it mean nothing.

    Raises
    ------
    InputError
        There is none.
    """
    names = {_plain(name): name for name in names_of(shim)} | {"playback": PLAYBACK}
    wanted = _plain(text)
    if wanted in names:
        return names[wanted]
    near = [names[one] for one in difflib.get_close_matches(wanted, names, 4, 0.5)]
    raise InputError(
        f"BrainFlow has no board {text!r}; name one of "
        + ", ".join(near or (SYNTHETIC, "cyton", "cyton_daisy", "ganglion_native", "and the like"))
    )


def board_named(name: str) -> str | None:
    """The board that advertises itself over Bluetooth by a name; None if none does."""
    return "ganglion_native" if name.startswith(("Ganglion-", "Simblee")) else None


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]|board", "", text.casefold())


def missing_parameter(name: str, given: set[str]) -> str | None:
    """What to add to a SOURCE that lacks what its board needs; None if it lacks nothing."""
    missing = [one for one in _NEEDS.get(name, ()) if one not in given]
    return "&".join(f"{one}={_EXAMPLES[one]}" for one in missing) or None


def describe(shim: Any, name: str, other_info: str = "") -> Board:
    """What BrainFlow knows of a board.

    Raises
    ------
    InputError
        It has no row that an ECG could be in.
    """
    described = shim.BoardShim.get_board_descr(names_of(shim)[name])
    ecg = "ecg_channels" in described
    indices = described.get("ecg_channels") or described.get("eeg_channels") or described.get("emg_channels")
    if not indices:
        raise InputError(f"{name} measures no ECG, and nothing else that an ECG could be taken for")
    electrodes = described.get("eeg_names", "").split(",")
    named = dict(zip(described.get("eeg_channels", ()), electrodes, strict=False))
    numbering = _NUMBERINGS.get(name)
    if name in _GANGLION and other_info:
        numbering = _GANGLION_2 if other_info == "fw:2" else None
    return Board(
        name=name,
        rate_hz=float(described["sampling_rate"]),
        rows=tuple(Row(index, at + 1, named.get(index, "")) for at, index in enumerate(indices)),
        number_row=described.get("package_num_channel"),
        battery_row=described.get("battery_channel"),
        width=described["num_rows"],
        numbering=numbering,
        in_uv=name not in _COUNTS,
        ecg=ecg,
    )


def numbers_of(board: Board, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Package numbers ``(n,)`` as integers; both codings of an old Ganglion count alike."""
    numbers = values.astype(np.int64)
    return np.where(numbers > 100, numbers - 100, numbers) if board.numbering == _GANGLION_2 else numbers


def at_rail(uv: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which samples ``(n,)`` in microvolts lie at the end of a converter: no electrode is there."""
    off = np.abs(np.abs(uv)[:, None] - _RAILS_UV) <= _AT_RAIL * _RAILS_UV
    at_end: NDArray[np.bool_] = off.any(axis=1)
    return at_end
