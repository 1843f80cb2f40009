# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of the uncertainty: how often the truth lies inside the bands, and how wide they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecg.evaluation.beat_scores import Beats
from streamer.core.leads import LEADS, SEVEN

REGIONS = ("all", "qrs", "st_t")
T_END_S = 0.32
"""ST-T is taken to last so long after J, or until the next QRS."""
SCORED_LEVEL = "0.9"

# |error| from 1 uV to 30 mV in steps of 4 %, for the width that a constant band would need.
_EDGES_MV = np.geomspace(1e-3, 30.0, 264)
_MIDDLE_MV = np.concatenate(([0.0], np.sqrt(_EDGES_MV[:-1] * _EDGES_MV[1:]), [_EDGES_MV[-1]]))


@dataclass(frozen=True, slots=True)
class BandCounts:
    """What one record adds to the scores of the bands."""

    count: NDArray[np.int64]
    """``(regions, 12)`` samples."""
    inside: Mapping[str, NDArray[np.int64]]
    """By level: ``(regions, 12)`` samples whose truth lies in the band."""
    interval_mv: NDArray[np.float64]
    """``(regions, 12)`` sum of the interval score of the 90 % band."""
    width_mv: NDArray[np.float64]
    """``(regions, 12)`` sum of that band's whole width."""
    errors: NDArray[np.int32]
    """``(regions, 12, bins)`` histogram of the absolute error."""


def regions(
    beats: Beats | None, samples: int, first: int, rate_hz: float, last: int | None = None
) -> NDArray[np.bool_]:
    """Which samples lie in each of `REGIONS`, ``(regions, samples)``; none before ``first``, nor from
    ``last`` on.
    """
    mask = np.zeros((len(REGIONS), samples), np.bool_)
    mask[0, first:] = True
    if beats is not None:
        t_end = beats.offset + round(T_END_S * rate_hz)
        for r in beats.r:
            mask[2, max(r + beats.offset + 1, first) : r + t_end] = True
        for r in beats.r:
            mask[1, max(r + beats.onset, first) : r + beats.offset + 1] = True
        mask[2] &= ~mask[1]
    if last is not None:
        mask[:, last:] = False
    return mask


def count(
    estimate_mv: NDArray[np.float32],
    scale_mv: NDArray[np.float32],
    truth_mv: NDArray[np.float32],
    bands: Mapping[str, Sequence[float]],
    where: NDArray[np.bool_],
) -> BandCounts:
    """Compare ``(12, n)`` arrays inside each region of ``where (regions, n)``.

    ``bands`` holds for each level the half-width of each lead's band, as a multiple of its scale.
    """
    error = np.abs(estimate_mv.astype(np.float64) - truth_mv)
    inside = {}
    for level, factors in bands.items():
        within = error <= scale_mv * np.asarray(factors)[:, None]
        inside[level] = np.stack([(within & region).sum(axis=1) for region in where])
    alpha = 1 - float(SCORED_LEVEL)
    half = scale_mv * np.asarray(bands[SCORED_LEVEL])[:, None]
    score = 2 * half + 2 / alpha * np.maximum(error - half, 0)
    bins = np.searchsorted(_EDGES_MV, error)
    histogram = np.zeros((len(where), 12, len(_EDGES_MV) + 1), np.int32)
    for i, region in enumerate(where):
        for lead in range(12):
            histogram[i, lead] = np.bincount(bins[lead, region], minlength=len(_EDGES_MV) + 1)
    return BandCounts(
        count=np.stack([np.full(12, region.sum()) for region in where]),
        inside=inside,
        interval_mv=np.stack([score[:, region].sum(axis=1) for region in where]),
        width_mv=np.stack([2 * half[:, region].sum(axis=1, dtype=np.float64) for region in where]),
        errors=histogram,
    )


def band_summary(records: Sequence[BandCounts], superclasses: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Coverage of each level, and the interval score against a band of constant width.

    Parameters
    ----------
    records : sequence of BandCounts
    superclasses : sequence of sequence of str
        Those of each record.

    Returns
    -------
    dict
        ``coverage``: by level ``all``, ``qrs``, ``st_t`` (the seven leads pooled), each of the
        twelve leads, and each superclass; ``interval_score``: ``ours`` and ``constant_width``, mV,
        the mean over the seven, and the same for ``qrs``, ``st_t`` and each superclass.  The
        constant band of each lead is given the width that covers 90 % of these very records: it
        could do no better.
    """
    rows = [LEADS.index(lead) for lead in SEVEN]
    total = np.sum([record.count for record in records], axis=0)
    coverage: dict[str, Any] = {}
    for level in records[0].inside:
        inside = np.sum([record.inside[level] for record in records], axis=0)
        shares: dict[str, Any] = {
            name: float(inside[i, rows].sum() / total[i, rows].sum())
            for i, name in enumerate(REGIONS)
            if total[i, rows].sum()
        }
        shares |= {lead: float(inside[0, i] / total[0, i]) for i, lead in enumerate(LEADS)}
        for name in sorted({c for classes in superclasses for c in classes if c}):
            of = [r for r, classes in zip(records, superclasses, strict=True) if name in classes]
            hits = sum(int(r.inside[level][0, rows].sum()) for r in of)
            shares[name] = hits / sum(int(r.count[0, rows].sum()) for r in of)
        coverage[level] = shares
    return {"coverage": coverage, "interval_score": _interval_scores(records, superclasses)}


def _interval_scores(records: Sequence[BandCounts], superclasses: Sequence[Sequence[str]]) -> dict[str, Any]:
    rows = [LEADS.index(lead) for lead in SEVEN]
    errors = np.asarray(np.sum([record.errors for record in records], axis=0, dtype=np.int64))
    half = np.array([_constant_half_width_mv(errors[0, row]) for row in rows])

    def of(some: Sequence[BandCounts], region: int) -> dict[str, float]:
        count = np.sum([record.count[region, rows] for record in some], axis=0)
        ours = np.sum([record.interval_mv[region, rows] for record in some], axis=0)
        misses = np.sum([record.errors[region, rows] for record in some], axis=0, dtype=np.int64)
        beyond = (np.maximum(_MIDDLE_MV - half[:, None], 0) * misses).sum(axis=1)
        constant = 2 * half + 2 / (1 - float(SCORED_LEVEL)) * beyond / count
        return {"ours": float((ours / count).mean()), "constant_width": float(constant.mean())}

    parts: dict[str, Any] = of(records, 0)
    for i, name in enumerate(REGIONS[1:], start=1):
        if any(record.count[i].any() for record in records):
            parts[name] = of(records, i)
    for name in sorted({c for classes in superclasses for c in classes if c}):
        parts[name] = of([r for r, cs in zip(records, superclasses, strict=True) if name in cs], 0)
    return parts


def _constant_half_width_mv(histogram: NDArray[np.int64]) -> float:
    """Half the width of the constant band that covers the level, from the errors' histogram."""
    share = np.cumsum(histogram) / histogram.sum()
    return float(_MIDDLE_MV[int(np.searchsorted(share, float(SCORED_LEVEL)))])
