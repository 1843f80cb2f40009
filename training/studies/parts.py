# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of a model give: ``python -m training.studies.parts MODEL --data PTB-XL --out parts.json``.

A part hears no faster bands than its name says (``mecg ... --bands low|mid|all``).  Errors are those of the
live path, from 3 s into a record to 0.3 s before its end; a Markdown table stands beside the JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mecg.evaluation.band_scores import band_summary
from mecg.evaluation.dataset import read_table
from mecg.evaluation.evaluate import Scored, score_all
from mecg.evaluation.lead_scores import paired, summary
from streamer.core.errors import InputError
from streamer.core.leads import SEVEN
from streamer.core.network.network import Network
from streamer.core.network.parts import ALL_BANDS
from streamer.core.pipeline import Pipeline
from streamer.core.stream import StreamInfo
from training.command import ended_in_one_line
from training.studies.cost import a_hop, milliseconds, of_step

SOURCE_HZ = 500
"""Of the stream whose latency is stated."""


def study(model: bytes, data: Path, folds: Sequence[int], every: int, jobs: int) -> dict[str, Any]:
    """Of each part, the least first: errors, what they are over the whole's, and costs.

    Raises
    ------
    InputError
        Where the model has no parts, or nothing can be scored.
    """
    network = Network(model)
    if network.bands == (ALL_BANDS,):
        raise InputError(f"the model {network.spec.name} {network.spec.version} has no parts that run alone")
    entries = read_table(data, folds, 100)[::every]
    files = {**network.parts, ALL_BANDS: model}
    results = {name: list(score_all(entries, content, jobs, dense=True)) for name, content in files.items()}
    scored = {name: [s if isinstance(s, Scored) else None for s in some] for name, some in results.items()}
    whole = [i for i in range(len(entries)) if all(some[i] is not None for some in scored.values())]
    if not whole:
        raise InputError(f"no record of {data} could be scored")
    patients = [entries[i].patient for i in whole]
    networks = {name: network.part(name) for name in files}
    hops = {name: hop for name, part in networks.items() if (hop := a_hop(part)) is not None}
    took_ms = milliseconds(hops)
    good = {name: [s for i in whole if (s := some[i]) is not None] for name, some in scored.items()}
    ours = [s.ours.sums for s in good[ALL_BANDS]]
    rows = []
    for name, part in networks.items():
        sums = [s.ours.sums for s in good[name]]
        bands = [s.ours.bands for s in good[name] if s.ours.bands is not None]
        holds = band_summary(bands, [()] * len(bands))["coverage"]["0.9"]["all"] if bands else None
        seven = summary(sums, patients, SEVEN)
        rows.append(
            {
                "bands": name,
                "weights": part.spec.about.get("weights"),
                "seven": seven,
                "over_all": seven["rmse_mv"] / summary(ours, patients, SEVEN)["rmse_mv"],
                "over_all_ci95": paired(ours, sums, patients, SEVEN)["rmse_over_ours_ci95"],
                "band_holds": holds,
                "multiply_adds_a_hop": of_step(files[name]),
                "hop_us": took_ms[name] * 1e3 if name in took_ms else None,
                "latency_ms": Pipeline(StreamInfo("parts", SOURCE_HZ), part).latency.total_ms,
            }
        )
    return {
        "model": f"{network.spec.name} {network.spec.version}",
        "folds": list(folds),
        "every": every,
        "records": len(whole),
        "patients": len(set(patients)),
        "parts": rows,
    }


def markdown(result: dict[str, Any]) -> str:
    """The table for the model card."""
    lines = [
        "| `--bands` | weights | RMSE of the seven, mV | 95 % | over all, 95 % | mean Pearson "
        "| 90 % band holds | multiply-adds a hop, as written down | a hop, CPU | latency |",
        "|---|---:|---:|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in result["parts"]:
        seven, (low, high) = row["seven"], row["over_all_ci95"]
        lines.append(
            f"| {row['bands']} | {_told(row['weights'], ',')} | {seven['rmse_mv']:.4f} | "
            "({:.4f} to {:.4f})".format(*seven["rmse_mv_ci95"])
            + f" | {row['over_all']:.3f} ({low:.3f} to {high:.3f}) | {seven['pearson_mean']:.3f} | "
            f"{_told(row['band_holds'], '.1%')} | {_told(row['multiply_adds_a_hop'], ',')} | "
            f"{_told(row['hop_us'], '.1f')} us | {row['latency_ms']:.0f} ms |"
        )
    return "\n".join(lines) + "\n"


def _told(number: float | None, form: str) -> str:
    return "-" if number is None else format(number, form)


def main() -> None:
    """Measure, write and print as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--fold", type=int, default=9)
    parser.add_argument("--every", type=int, default=1, help="take every so many records (1)")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="a JSON file; the table goes beside it")
    args = parser.parse_args()
    result = study(args.model.read_bytes(), args.data, [args.fold], args.every, args.jobs)
    args.out.write_text(json.dumps(result, indent=1))
    text = markdown(result)
    args.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    ended_in_one_line(main)
