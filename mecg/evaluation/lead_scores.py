# SPDX-License-Identifier: GPL-3.0-or-later
"""How close twelve estimated leads are to the truth: RMSE, MAE and Pearson, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.leads import LEADS

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class LeadSums:
    """What one record adds to the scores, for each of the twelve leads: arrays ``(12,)``."""

    count: NDArray[np.float64]
    squared: NDArray[np.float64]
    absolute: NDArray[np.float64]
    pearson: NDArray[np.float64]
    """NaN where one of the two is flat."""


def lead_sums(estimate_mv: NDArray[np.float32], truth_mv: NDArray[np.float32]) -> LeadSums:
    """Compare ``(12, n)`` with ``(12, n)``, mV; columns with a NaN are left out."""
    return _of_moments(_moments(estimate_mv, truth_mv))


def lead_sums_to(
    estimate_mv: NDArray[np.float32], truth_mv: NDArray[np.float32], last: int
) -> tuple[LeadSums, LeadSums]:
    """As `lead_sums`, of the columns before ``last``, and of all."""
    body = _moments(estimate_mv[:, :last], truth_mv[:, :last])
    return _of_moments(body), _of_moments(body + _moments(estimate_mv[:, last:], truth_mv[:, last:]))


def _moments(estimate_mv: NDArray[np.float32], truth_mv: NDArray[np.float32]) -> NDArray[np.float64]:
    """``(8, 12)`` sums over the columns without a NaN: how many; of the error its squares and sizes; of both
    signals themselves, their squares and their products.
    """
    known = np.isfinite(estimate_mv).all(axis=0) & np.isfinite(truth_mv).all(axis=0)
    a, b = estimate_mv[:, known].astype(np.float64), truth_mv[:, known].astype(np.float64)
    error = a - b
    return np.stack(
        [
            np.full(12, float(known.sum())),
            _products(error, error),
            np.abs(error).sum(axis=1),
            a.sum(axis=1),
            b.sum(axis=1),
            _products(a, a),
            _products(b, b),
            _products(a, b),
        ]
    )


def _of_moments(moments: NDArray[np.float64]) -> LeadSums:
    n, squared, absolute, a, b, aa, bb, ab = moments
    n_1 = np.maximum(n, 1)
    norm = np.sqrt(np.maximum(aa - a * a / n_1, 0) * np.maximum(bb - b * b / n_1, 0))
    return LeadSums(
        count=n,
        squared=squared,
        absolute=absolute,
        pearson=np.divide(ab - a * b / n_1, norm, out=np.full(12, np.nan), where=norm > 1e-9),
    )


def _products(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row of one with the same row of the other, in one pass."""
    return np.asarray(np.einsum("ij,ij->i", a, b))


def summary(
    records: Sequence[LeadSums], patients: Sequence[str], leads: Sequence[str], intervals: bool = True
) -> dict[str, Any]:
    """Pooled scores of some leads; 95 % intervals by bootstrap over patients.

    Returns
    -------
    dict
        ``rmse_mv`` (squares pooled over records and leads), ``mae_mv``, ``pearson_mean`` and
        ``pearson_median`` (over records and leads), ``rmse_mv_ci95``, ``pearson_mean_ci95``.
    """
    rows = [LEADS.index(lead) for lead in leads]

    def column(name: str) -> NDArray[np.float64]:
        return np.stack([getattr(record, name)[rows] for record in records])

    count, squared, absolute, pearson = map(column, ("count", "squared", "absolute", "pearson"))
    known = np.isfinite(pearson)
    scores: dict[str, Any] = {
        "rmse_mv": float(np.sqrt(squared.sum() / count.sum())),
        "mae_mv": float(absolute.sum() / count.sum()),
        "pearson_mean": float(pearson[known].mean()) if known.any() else None,
        "pearson_median": float(np.median(pearson[known])) if known.any() else None,
    }
    if intervals:
        parts = (squared, count, np.where(known, pearson, 0.0), known)
        per_record = np.stack([part.sum(axis=1) for part in parts], axis=1)
        sums = resampled(per_record, patients)
        scores["rmse_mv_ci95"] = _middle(np.sqrt(sums[:, 0] / sums[:, 1]))
        scores["pearson_mean_ci95"] = _middle(sums[:, 2] / np.maximum(sums[:, 3], 1))
    return scores


def one_summary(estimate: Sequence[LeadSums], measured: Sequence[LeadSums]) -> dict[str, float]:
    """How far I' is from the clinical frame, and in which records farther than the input itself.

    Parameters
    ----------
    estimate, measured : sequences of LeadSums
        Of I', and of the true leads in the input band, the filter's delay removed.

    Returns
    -------
    dict
        ``rmse_mv``, ``input_rmse_mv``, and ``farther_than_input``: the share of records whose I' has
        the larger error.
    """

    def parts(records: Sequence[LeadSums]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.array([r.squared[0] for r in records]), np.array([r.count[0] for r in records])

    (ours, n), (theirs, m) = parts(estimate), parts(measured)
    known = (n > 0) & (m > 0)
    farther = ours[known] / n[known] > theirs[known] / m[known]
    return {
        "rmse_mv": float(np.sqrt(ours.sum() / n.sum())),
        "input_rmse_mv": float(np.sqrt(theirs.sum() / m.sum())),
        "farther_than_input": float(farther.mean()),
    }


def paired(
    ours: Sequence[LeadSums], theirs: Sequence[LeadSums], patients: Sequence[str], leads: Sequence[str]
) -> dict[str, list[float]]:
    """95 % intervals of the difference, theirs less ours, by one bootstrap over patients for both.

    Returns
    -------
    dict
        ``rmse_mv_less_ours_ci95``, ``rmse_over_ours_ci95`` (the ratio) and
        ``pearson_less_ours_ci95``.
    """
    rows = [LEADS.index(lead) for lead in leads]
    columns = []
    for records in (ours, theirs):
        pearson = np.stack([r.pearson[rows] for r in records])
        known = np.isfinite(pearson)
        columns += [
            np.array([r.squared[rows].sum() for r in records]),
            np.array([r.count[rows].sum() for r in records]),
            np.where(known, pearson, 0.0).sum(axis=1),
            known.sum(axis=1).astype(np.float64),
        ]
    sums = resampled(np.stack(columns, axis=1), patients)
    rmse = [np.sqrt(sums[:, i] / sums[:, i + 1]) for i in (0, 4)]
    mean = [sums[:, i] / np.maximum(sums[:, i + 1], 1) for i in (2, 6)]
    return {
        "rmse_mv_less_ours_ci95": _middle(rmse[1] - rmse[0]),
        "rmse_over_ours_ci95": _middle(rmse[1] / rmse[0]),
        "pearson_less_ours_ci95": _middle(mean[1] - mean[0]),
    }


def ratio_interval(
    ours: NDArray[np.floating], theirs: NDArray[np.floating], patients: Sequence[Any]
) -> list[float]:
    """95 % interval of their RMSE over ours, by one bootstrap over patients for both.

    Parameters
    ----------
    ours, theirs : arrays (records,)
        Mean squared errors of the same records, equally long.
    patients : sequence
        Whose each record is.
    """
    sums = resampled(np.stack((ours, theirs), axis=1).astype(np.float64), patients)
    return _middle(np.sqrt(sums[:, 1] / sums[:, 0]))


def median_intervals(
    ours: NDArray[np.floating], theirs: NDArray[np.floating], harm: float, patients: Sequence[Any]
) -> dict[str, list[float]]:
    """95 % intervals of our median over theirs, and of how often ours is worse by a factor, over patients.

    Parameters
    ----------
    ours, theirs : arrays (records,)
        RMSE of the same records, in mV.
    harm : float
        The factor from which ours counts as worse.
    patients : sequence
        Whose each record is.

    Returns
    -------
    dict
        ``ratio_ci95`` and ``worse_by_5pct_fraction_ci95``.
    """
    whose, drawn = _drawn(patients)
    worse = ours > harm * theirs
    ratios, shares = [], []
    for times in drawn:
        records = np.repeat(np.arange(len(ours)), times[whose])
        ratios.append(np.median(ours[records]) / np.median(theirs[records]))
        shares.append(worse[records].mean())
    return {
        "ratio_ci95": _middle(np.array(ratios)),
        "worse_by_5pct_fraction_ci95": _middle(np.array(shares)),
    }


def resampled(
    per_record: NDArray[np.float64], patients: Sequence[Any], rng: np.random.Generator | None = None
) -> NDArray[np.float64]:
    """Column sums over ``RESAMPLES`` draws of as many patients as there are, with replacement.

    Left out, ``rng`` is the same each time, so that what is compared is drawn alike.
    """
    whose, drawn = _drawn(patients, rng)
    per_patient = np.zeros((drawn.shape[1], per_record.shape[1]))
    np.add.at(per_patient, whose, per_record)
    return np.asarray(drawn @ per_patient)


def _drawn(
    patients: Sequence[Any], rng: np.random.Generator | None = None
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Which patient each record is of, and how often each draw ``(RESAMPLES, patients)`` has each patient."""
    _, whose = np.unique(np.asarray(patients), return_inverse=True)
    n = int(whose.max()) + 1
    rng = rng or np.random.default_rng(0)
    return whose, rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)


def _middle(values: NDArray[np.float64]) -> list[float]:
    return [float(v) for v in np.percentile(values, [2.5, 97.5])]
