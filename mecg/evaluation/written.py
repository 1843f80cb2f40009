# SPDX-License-Identifier: GPL-3.0-or-later
"""Leads that `mecg reconstruct` wrote, as they are scored: at the model's rate, with the band beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamer.core.errors import InputError
from streamer.core.leads import LEADS
from streamer.core.signal.clinical_frame import at_rate
from streamer.core.stream import Samples
from streamer.export.band import BAND, band_name, half_width_of
from streamer.formats.recording import without_identity
from streamer.formats.wfdb_reader import Record
from streamer.formats.wfdb_writer import record_name


@dataclass(frozen=True, slots=True)
class Written:
    """Twelve leads of one record."""

    leads_mv: Samples
    """``(12, n)`` at the model's rate; NaN where the file has no sample."""
    scale_mv: Samples
    """``(12, n)`` half the width of the band; NaN without one."""
    bands: Mapping[str, Sequence[float]]
    """By level, the band's half width of each lead as a multiple of its scale; empty without a band."""


def written_leads(folder: Path, key: str, truth_mv: Samples, source_hz: float, rate_hz: float) -> Written:
    """What `mecg reconstruct` made of a record.

    Parameters
    ----------
    folder : Path
        Its output; the results lie in it as deep as the records, or all in itself.
    key : str
        The record's path in the data set.
    truth_mv : array (12, n)
        The record's own leads at ``source_hz``.
    rate_hz : float
        The model's.

    Raises
    ------
    InputError
        There is none, it cannot be read, or it has another rate or length than the record.
    """
    path = _found(folder, key)
    record = Record(path)
    leads_mv = record.twelve()
    if record.rate_hz != source_hz or leads_mv.shape != truth_mv.shape:
        raise InputError(
            f"{path} has {leads_mv.shape[1]} samples at {record.rate_hz:g} Hz, the record "
            f"{truth_mv.shape[1]} at {source_hz:g}: reconstruct it again"
        )
    estimate = at_rate(leads_mv, source_hz, rate_hz).astype(np.float32)
    at = np.arange(estimate.shape[1]) * (source_hz / rate_hz)
    nearest = np.minimum(np.rint(at).astype(np.int64), leads_mv.shape[1] - 1)
    missing = np.asarray(np.isnan(leads_mv).any(axis=0))
    estimate[:, missing[nearest]] = np.nan
    half_mv = _half_widths(path, leads_mv.shape[1])
    if half_mv is None:
        return Written(estimate, np.full_like(estimate, np.nan), {})
    samples = np.arange(half_mv.shape[1])
    scale = np.stack([np.interp(at, samples, np.nan_to_num(row)) for row in half_mv]).astype(np.float32)
    return Written(estimate, scale, {BAND: (1.0,) * len(LEADS)})


def _found(folder: Path, key: str) -> Path:
    named = Path(key)
    name = record_name(without_identity(named.name))
    for path in (folder / named.parent / name, folder / name):
        if path.with_name(f"{name}.hea").is_file():
            return path
    raise InputError(f"there is no {name} in {folder}: reconstruct it")


def _half_widths(path: Path, samples: int) -> Samples | None:
    band = path.with_name(band_name(path.name))
    if not band.with_name(f"{band.name}.hea").is_file():
        return None
    record = Record(band)
    rows = [row for lead in LEADS if (row := record.row(half_width_of(lead))) is not None]
    if len(rows) < len(LEADS) or record.samples != samples:
        raise InputError(f"{band} is no band of {path.name}: reconstruct it again")
    return record.read()[rows]
