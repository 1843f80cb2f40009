# SPDX-License-Identifier: GPL-3.0-or-later
"""What several models do together: ``python -m training.studies.together MODEL OTHER... --data PTB-XL``.

The first model, each of the others, and the mean of the others' leads, on the same records, from 3 s to
0.3 s before the end: what one network might still learn, and how good a teacher the mean is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecg.evaluation.evaluate import END_S, SCORED_FROM_S
from mecg.evaluation.lead_scores import LeadSums, lead_sums, paired, summary
from streamer.core.errors import InputError
from streamer.core.leads import SEVEN, twelve_from_eight
from streamer.core.network.network import Network
from training.command import ended_in_one_line
from training.data import Records, load, targets
from training.teachers import said_of

Eights = NDArray[np.int16]
"""``(records, 8, n)``, 1 uV."""


def study(models: Sequence[Network], data: Path, fold: int, every: int, cache: Path) -> dict[str, Any]:
    """Scores of each model and of the mean, as plain JSON types.

    Raises
    ------
    InputError
        If a model learned from this fold, or does not say from which it did.
    """
    for model in models:
        learned = model.spec.about.get("folds")
        if not learned or fold in learned:
            raise InputError(
                f"the model {model.spec.name} learned from fold {fold}, or does not say: name another fold"
            )
    spec = models[0].spec
    whole = load(data, [fold], cache)
    records = Records(whole.ecg_id[::every], whole.patient_id[::every], whole.leads_uv[::every])
    truth = targets(records, spec.filters, spec.rate_hz)
    said = [said_of([model], records, truth, spec.filters, spec.rate_hz) for model in models]
    mean = np.rint(np.mean(said[1:], axis=0)).astype(np.int16)
    names = [model.spec.name for model in models] + [f"the mean of {len(models) - 1}"]
    patients = [str(patient) for patient in records.patient_id]
    sums = [_sums(eights, truth, spec.rate_hz) for eights in (*said, mean)]
    rows = []
    for name, theirs in zip(names, sums, strict=True):
        row: dict[str, Any] = {"name": name, **summary(theirs, patients, SEVEN)}
        rows.append(row | paired(sums[0], theirs, patients, SEVEN))
    return {"fold": fold, "records": len(patients), "patients": len(set(patients)), "rows": rows}


def _sums(eights: Eights, truth: Eights, rate_hz: float) -> list[LeadSums]:
    part = slice(round(SCORED_FROM_S * rate_hz), truth.shape[2] - round(END_S * rate_hz))

    def twelve(eight: NDArray[np.int16]) -> NDArray[np.float32]:
        return twelve_from_eight(eight[:, part].astype(np.float32) / 1e3)

    return [lead_sums(twelve(a), twelve(b)) for a, b in zip(eights, truth, strict=True)]


def markdown(result: dict[str, Any]) -> str:
    """The table."""
    lines = [
        f"{result['records']} records of fold {result['fold']}, {result['patients']} patients",
        "",
        "| the seven | RMSE, mV | over the first, 95 % | mean Pearson |",
        "|---|---:|---|---:|",
    ]
    for row in result["rows"]:
        low, high = row["rmse_over_ours_ci95"]
        lines.append(
            f"| {row['name']} | {row['rmse_mv']:.4f} | {low:.3f} to {high:.3f} | {row['pearson_mean']:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("others", type=Path, nargs="+", metavar="OTHER")
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--fold", type=int, default=9, help="one that none of them learned from (9)")
    parser.add_argument("--every", type=int, default=1, help="take every so many records (1)")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--out", type=Path, help="a JSON file")
    args = parser.parse_args()
    models = [Network(path.read_bytes()) for path in (args.model, *args.others)]
    result = study(models, args.data, args.fold, args.every, args.cache)
    if args.out is not None:
        args.out.write_text(json.dumps(result, indent=1))
    print(markdown(result))


if __name__ == "__main__":
    ended_in_one_line(main)
