# SPDX-License-Identifier: GPL-3.0-or-later
"""Learns to tell Lead I from Lead I upside down: ``python -m training.fitted.polarity PTB-XL``.

Prints the weights that `streamer/core/vitals/polarity.py` holds.  A logistic model without a constant on the
mean beat: turning the beat turns the sign of its score, so neither polarity is favoured.  Fitted on folds 1
to 6 of PTB-XL, its penalty chosen on fold 7, then fitted again on folds 1 to 7.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from streamer.core.network.network import Network
from streamer.core.vitals.beats import beats_in
from streamer.core.vitals.polarity import polarity_features
from streamer.core.vitals.quality import AFTER_S, BEATS, BEFORE_S, LEAST_BEATS
from training.command import ended_in_one_line
from training.data import RATE_HZ, load, network_input

PENALTIES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
FALSE_ALARMS = 0.01
SETTLED_S = 2.0


def mean_beats(data: Path, folds: list[int], cache: Path, network: Network) -> NDArray[np.float64]:
    """The features of every record that has beats enough, ``(records, features)``."""
    rate_hz = network.spec.rate_hz
    before, after = round(BEFORE_S * rate_hz), round(AFTER_S * rate_hz)
    rows = []
    for uv in load(data, folds, cache).leads_uv[:, 0]:
        lead_mv = network_input(uv.astype(np.float32) / 1e3, network.spec.filters, rate_hz, RATE_HZ)[3]
        beats = [
            lead_mv[i - before : i + after]
            for i in beats_in(lead_mv, rate_hz)
            if i - before >= SETTLED_S * rate_hz and i + after <= len(lead_mv)
        ]
        if len(beats) >= LEAST_BEATS:
            rows.append(polarity_features(np.mean(beats[-BEATS:], axis=0), rate_hz))
    return np.array(rows)


def fit(features: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """Weights for which the score of every record is likely above 0."""

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = features @ w
        slope = -(features / (1 + np.exp(z))[:, None]).mean(axis=0) + penalty * w
        return float(np.logaddexp(0, -z).mean() + penalty / 2 * w @ w), slope

    start = np.zeros(features.shape[1])
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x)


def main() -> int:
    """Fit, choose and print."""
    parser = argparse.ArgumentParser(prog="python -m training.fitted.polarity", description=__doc__)
    parser.add_argument("data", type=Path, help="PTB-XL")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--model", type=Path, default=Path("streamer/models/mecgnet-low.onnx"))
    args = parser.parse_args()
    network = Network(args.model.read_bytes())
    first = mean_beats(args.data, [1, 2, 3, 4, 5, 6], args.cache, network)
    chosen_on = mean_beats(args.data, [7], args.cache, network)
    seen = {}
    for penalty in PENALTIES:
        score = chosen_on @ fit(first, penalty)
        seen[penalty] = float((-score < np.quantile(score, FALSE_ALARMS)).mean())
        print(f"penalty {penalty:g}: {seen[penalty]:.2%} seen at {FALSE_ALARMS:.0%} false", file=sys.stderr)
    everything = np.concatenate((first, chosen_on))
    weights = fit(everything, max(seen, key=lambda penalty: seen[penalty]))
    # In units of the limit: below -1 is reversed.
    weights /= -np.quantile(everything @ weights, FALSE_ALARMS)
    print(", ".join(f"{w:.3f}" for w in weights))
    return 0


if __name__ == "__main__":
    sys.exit(ended_in_one_line(main))
