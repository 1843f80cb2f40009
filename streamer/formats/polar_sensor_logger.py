# SPDX-License-Identifier: MIT
"""Files of the app Polar Sensor Logger: ``Polar_H10_..._ECG.txt``.

The phone's stamps repeat within a packet and are never sample times; the sensor's are.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from streamer.core.errors import InputError
from streamer.core.stream import Placement
from streamer.formats.file_format import Format, Head, text_of
from streamer.formats.recording import Lead, Recording, Stated
from streamer.formats.sample_times import grid_of, place
from streamer.formats.table import head_row, layout_of, rows_of, values_of

KIND = "a file of Polar Sensor Logger"


def recognizes(head: Head) -> bool:
    """Its header."""
    names = head_row(head.text)
    return any("sensor timestamp" in name for name in names) and any("ecg" in name for name in names)


def read(path: Path, stated: Stated) -> Recording:
    """Read one; raises InputError or OSError."""
    text = text_of(path)
    layout = layout_of(text)
    if layout is None:
        raise InputError(f"{KIND} without samples; record it again")
    time = next((c for c in layout.columns if "sensor" in c.name.casefold()), None)
    ecg = next((c for c in layout.columns if "ecg" in c.name.casefold()), None)
    if time is None or ecg is None:
        raise InputError(f"{KIND} without its columns; record it again")
    step_mv = stated.mv_per_step(ecg.unit, KIND)
    notes = ["The recording is of a strap on the chest, which is not Lead I."]
    stamps, values = values_of(text, layout, [time.index, ecg.index], KIND, notes)
    if len(stamps) < 3:
        raise InputError(f"{KIND} of fewer than three samples; record it again")
    rate_hz, index = grid_of((stamps - stamps[0]) * 1e-9, KIND)
    mv = place((values * step_mv)[None], index)
    lost = mv.shape[1] - len(values)
    if lost:
        notes.append(f"{lost} samples are missing by the sensor's stamps.")
    return Recording(
        kind=KIND,
        rate_hz=rate_hz,
        leads=(Lead("ECG", stated.unit(ecg.unit)),),
        mv=np.where(np.isfinite(mv), mv, np.float32(np.nan)),
        began=_began(text, layout.columns[0].index, rate_hz),
        placement=Placement.CHEST,
        notes=tuple(notes),
    )


def _began(text: str, column: int, rate_hz: float) -> datetime | None:
    """The phone's first stamp is that of the end of the first packet."""
    layout = layout_of(text)
    assert layout is not None
    first, count = "", 0
    for _, (stamp,) in rows_of(text, layout, [column], KIND):
        first = first or stamp
        if stamp != first:
            break
        count += 1
    try:
        return datetime.fromisoformat(first) - timedelta(seconds=count / rate_hz)
    except (ValueError, OverflowError):
        return None


FORMAT = Format("polar-sensor-logger", KIND, recognizes, read)
