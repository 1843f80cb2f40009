# SPDX-License-Identifier: GPL-3.0-or-later
"""The scores of each record, as the row of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import numpy as np

from mecg.evaluation.evaluate import Compared, Result, Scored
from mecg.evaluation.lead_scores import LeadSums
from streamer.core.leads import LEADS, SEVEN

COLUMNS: dict[str, str] = {
    "record": "string",
    "patient": "string",
    "superclasses": "string",
    "status": "string",
    "samples": "int64",
    "rmse_mv": "double",
    "mae_mv": "double",
    "pearson": "double",
    "filter_only_rmse_mv": "double",
    "i_prime_rmse_mv": "double",
    "beats": "int64",
    "st_median_mv": "double",
    "coverage_90": "double",
    **{f"rmse_mv_{lead}": "double" for lead in LEADS},
    "note": "string",
}
"""By name, the type in Parquet.  ``status`` is scored or skipped; figures without a lead are of the seven."""

_SEVEN = [LEADS.index(lead) for lead in SEVEN]
_LEVEL = "0.9"


def table(results: Iterable[Result]) -> str:
    """All rows as CSV, sorted by record."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(result) for result in sorted(results, key=lambda r: r.entry.key))
    return text.getvalue()


def _row(result: Result) -> dict[str, object]:
    entry, what = result.entry, result.what
    row: dict[str, object] = {
        "record": entry.key,
        "patient": entry.patient,
        "superclasses": " ".join(sorted(name for name in entry.superclasses if name)),
    }
    if not isinstance(what, Scored):
        return row | {"status": "skipped", "note": " ".join(what.why.split())}
    sums = what.ours.sums
    figures = {
        "rmse_mv": _rmse_mv(sums, _SEVEN),
        "mae_mv": _over(sums.absolute[_SEVEN].sum(), sums.count[_SEVEN].sum()),
        "pearson": _mean(sums.pearson[_SEVEN]),
        "filter_only_rmse_mv": _rmse_mv(what.filter_only.sums, _SEVEN),
        "i_prime_rmse_mv": _rmse_mv(sums, [0]),
        "st_median_mv": _st_median_mv(what),
        "coverage_90": _coverage(what.ours),
        **{f"rmse_mv_{lead}": _rmse_mv(sums, [i]) for i, lead in enumerate(LEADS)},
    }
    return (
        row
        | {"status": "scored", "samples": int(sums.count[0])}
        | {"beats": 0 if what.truth is None else len(what.truth.st_mv)}
        | {name: f"{value:.6g}" for name, value in figures.items() if np.isfinite(value)}
    )


def _over(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _rmse_mv(sums: LeadSums, rows: list[int]) -> float:
    return float(np.sqrt(_over(sums.squared[rows].sum(), sums.count[rows].sum())))


def _st_median_mv(what: Scored) -> float:
    if what.truth is None or what.ours.beats is None:
        return float("nan")
    return float(np.median(np.abs(what.ours.beats.st_mv[:, _SEVEN] - what.truth.st_mv[:, _SEVEN])))


def _coverage(ours: Compared) -> float:
    if ours.bands is None or _LEVEL not in ours.bands.inside:
        return float("nan")
    return _over(ours.bands.inside[_LEVEL][0, _SEVEN].sum(), ours.bands.count[0, _SEVEN].sum())
