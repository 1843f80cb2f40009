# SPDX-License-Identifier: MIT
"""How WFDB signal files pack samples into bytes: signal(5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Packing:
    """How a signal file packs its samples: ``samples`` of them to a block of ``size`` bytes."""

    samples: int
    size: int
    invalid: int | None
    partial: tuple[int, ...] = ()
    """How many samples the first 1, 2 ... bytes of a block hold, where that is not none."""


PACKINGS = {
    8: Packing(1, 1, None),
    16: Packing(1, 2, -(1 << 15)),
    24: Packing(1, 3, -(1 << 23)),
    32: Packing(1, 4, -(1 << 31)),
    61: Packing(1, 2, -(1 << 15)),
    80: Packing(1, 1, -(1 << 7)),
    160: Packing(1, 2, -(1 << 15)),
    212: Packing(2, 3, -(1 << 11), (0, 1)),
    310: Packing(3, 4, -(1 << 9), (0, 1, 1)),
    311: Packing(3, 4, -(1 << 9), (0, 1, 2)),
}

FLAC_BITS = {508: 8, 516: 16, 524: 24}
"""Formats whose signal file is a FLAC file of a channel for each signal: bits of a sample."""


def unpack(number: int, raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Whole blocks of a signal file to digital values, as signal(5) lays them out."""
    if number == 8:
        return raw.view(np.int8).astype(np.int64)
    if number == 16:
        return raw.view("<i2").astype(np.int64)
    if number == 32:
        return raw.view("<i4").astype(np.int64)
    if number == 61:
        return raw.view(">i2").astype(np.int64)
    if number == 80:
        return raw.astype(np.int64) - (1 << 7)
    if number == 160:
        return raw.view("<u2").astype(np.int64) - (1 << 15)
    packed = PACKINGS[number]
    byte = raw.reshape(-1, packed.size).astype(np.int64)
    if number == 24:
        parts, bits = [byte[:, 0] | byte[:, 1] << 8 | byte[:, 2] << 16], 24
    elif number == 212:
        parts, bits = [byte[:, 0] | (byte[:, 1] & 0x0F) << 8, byte[:, 2] | (byte[:, 1] & 0xF0) << 4], 12
    elif number == 310:
        low, high = byte[:, 0] | byte[:, 1] << 8, byte[:, 2] | byte[:, 3] << 8
        parts, bits = [low >> 1 & 0x3FF, high >> 1 & 0x3FF, low >> 11 | high >> 11 << 5], 10
    else:
        word = byte[:, 0] | byte[:, 1] << 8 | byte[:, 2] << 16 | byte[:, 3] << 24
        parts, bits = [word & 0x3FF, word >> 10 & 0x3FF, word >> 20 & 0x3FF], 10
    values = np.stack(parts, axis=1).ravel()
    values[values >= 1 << bits - 1] -= 1 << bits
    return values
