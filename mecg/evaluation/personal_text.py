# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of personal calibrations in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mecg.evaluation.band_scores import SCORED_LEVEL
from mecg.evaluation.evaluate import END_S, SCORED_FROM_S
from mecg.evaluation.personal import WITH_BANDS
from streamer.core.leads import SEVEN


def lines(scores: Mapping[str, Any]) -> list[str]:
    """The scores for the user to read."""
    said = [
        f"{scores['model']}: {scores['pairs']} later records of {scores['patients']} patients, calibrated on "
        f"{scores['calibrated_on']}; the seven leads, from {SCORED_FROM_S:g} s to {END_S:g} s before the end",
        f"{'':18}{'median RMSE mV':>15}{'mean Pearson':>14}",
    ]
    for name, rmse_mv in scores["median_rmse_mv"].items():
        said.append(f"{name:18}{rmse_mv:>15.4f}{scores['pearson_mean'][name]:>14.3f}")
    longer = scores["to_end"]
    rmse_mv, pearson = longer["median_rmse_mv"], longer["pearson_mean"]
    ratio = rmse_mv["personal"] / rmse_mv["generic"]
    said.append(
        f"as scores were defined before, to the very end, where the truth is pinned to zero: median RMSE "
        f"{rmse_mv['generic']:.4f} to {rmse_mv['personal']:.4f} mV ({ratio:.3f}), "
        f"Pearson {pearson['generic']:.3f} to {pearson['personal']:.3f}, "
        f"worse by 5 %: {longer['worse_by_5pct_fraction']:.1%}"
    )
    said.append(
        f"{'reference':18}{'over generic':>15}{'95 %':>16}{'mean over mean':>16}{'mean Pearson':>14}"
        f"{'worse by 5 %':>14}{'95 %':>17}"
    )
    for name, row in scores["references"].items():
        (low, high), (least, most) = row["ratio_ci95"], row["worse_by_5pct_fraction_ci95"]
        said.append(
            f"{name:18}{row['ratio']:>15.3f}{f'{low:.3f} to {high:.3f}':>16}{row['mean_ratio']:>16.3f}"
            f"{row['pearson_mean']:>14.3f}{row['worse_by_5pct_fraction']:>14.1%}"
            f"{f'{least:.1%} to {most:.1%}':>17}"
        )
    spread = "  ".join(f"{lead} {x:.2f}" for lead, x in scores["spread_ratio"].items() if x is not None)
    said.append(f"spread of R and S over records, estimate over truth: {spread}")
    for name, st in scores["st"].items():
        said.append(
            f"ST, {name}: off by more than 0.1 mV in {st['over_0_1_mv']:.1%} of beats; elevation called "
            f"falsely {_share(st['false_elevation'])}, found {_share(st['found_elevation'])}; depression "
            f"falsely {_share(st['false_depression'])}, found {_share(st['found_depression'])}"
        )
    for name, bands in scores.get("bands", {}).items():
        held = bands["coverage"][SCORED_LEVEL]
        each = "  ".join(f"{lead} {held[lead]:.3f}" for lead in SEVEN)
        said.append(
            f"90 % band, {name}: holds {held['all']:.1%} (QRS {_share(held.get('qrs'))}, "
            f"ST-T {_share(held.get('st_t'))}; {each}); width {bands['width_mv']:.3f} mV, "
            f"interval score {bands['interval_score']['ours']:.3f} mV"
        )
    for level, row in scores["noise"].items():
        said.append(f"90 % band with {level} in Lead I: {_bands_in_words(row)}")
    for rhythm, row in scores["rhythms"].items():
        said.append(f"90 % band, {rhythm} ({row['pairs']} records): {_bands_in_words(row)}")
    return said


def _share(x: float | None) -> str:
    return "-" if x is None else f"{x:.1%}"


def _bands_in_words(row: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name} holds {row[name]['coverage']:.1%}, width {row[name]['width_mv']:.3f} mV, "
        f"interval score {row[name]['interval_score_mv']:.3f} mV"
        for name in WITH_BANDS
    )
