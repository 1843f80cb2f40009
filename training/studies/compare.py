# SPDX-License-Identifier: GPL-3.0-or-later
"""Ours and its predecessors in one table: ``python -m training.studies.compare OURS OTHER... --data PTB-XL``.

Every model runs the live path at its native shape (one whose output depends on no window in hops of a
second, the same within 1e-4 mV), on the same records; costs are taken in one run, on one thread of
ONNX Runtime.  The first model is the one that the others are compared with.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mecg.evaluation.beat_scores import st_summary
from mecg.evaluation.dataset import Entry, read_table
from mecg.evaluation.evaluate import END_S, Scored, score_all
from mecg.evaluation.lead_scores import LeadSums, paired, summary
from streamer.core.leads import ELEVEN, LEADS, SEVEN
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import StreamInfo
from training.command import ended_in_one_line
from training.studies import cost

Sums = Callable[[Scored], LeadSums]


@dataclass(frozen=True, slots=True)
class Model:
    """A file that takes part."""

    path: Path
    data: bytes
    network: Network

    @property
    def name(self) -> str:
        """What it calls itself."""
        return self.network.spec.name


def compare(
    models: Sequence[Model], data: Path, folds: Sequence[int], every: int, jobs: int
) -> dict[str, Any]:
    """Scores and costs of every model, as plain JSON types."""
    entries = read_table(data, folds, 100)[::every]
    scored = [_scores(model, entries, jobs) for model in models]
    kept = [i for i in range(len(entries)) if all(isinstance(results[i], Scored) for results in scored)]
    patients = [entries[i].patient for i in kept]
    ours = [scored[0][i] for i in kept]
    rows = []
    for model, results, costs in zip(models, scored, costs_of(models), strict=True):
        theirs = [results[i] for i in kept]
        spec = model.network.spec
        row: dict[str, Any] = {
            "model": f"{spec.name} {spec.version}",
            "file_bytes": len(model.data),
            "weights": spec.about.get("weights"),
            "converged": spec.about.get("converged", True),
            "cpu_minutes": spec.about.get("cpu_minutes"),
            "passes": spec.about.get("passes"),
            "latency_ms": Pipeline(StreamInfo("compare", 500.0), model.network).latency.total_ms,
            "window_s": spec.window / spec.rate_hz,
            "rate_hz": spec.rate_hz,
            **costs,
        }
        for group, (sums, leads) in GROUPS.items():
            row[group] = summary([sums(s) for s in theirs], patients, leads)
            if model is not models[0]:
                row[group] |= paired([sums(s) for s in ours], [sums(s) for s in theirs], patients, leads)
        row["leads"] = {
            lead: summary([_sums(s) for s in theirs], patients, (lead,), intervals=False) for lead in LEADS
        }
        row["st"] = _st(theirs)
        rows.append(row)
    filtered = [s.filter_only.sums for s in ours if isinstance(s, Scored)]
    return {
        "records": len(kept),
        "patients": len(set(patients)),
        "folds": list(folds),
        "every": every,
        "filter_only": summary(filtered, patients, SEVEN),
        "models": rows,
    }


def _scores(model: Model, entries: Sequence[Entry], jobs: int) -> list[Any]:
    found = score_all(entries, model.data, jobs, dense=True)
    return list(tqdm(found, desc=model.name, total=len(entries), mininterval=5))


def _sums(scored: Scored) -> LeadSums:
    return scored.ours.sums


def _to_end(scored: Scored) -> LeadSums:
    return scored.ours.to_end


def _st(results: Sequence[Scored]) -> dict[str, Any] | None:
    pairs = [(s.truth, s.ours.beats) for s in results if s.truth and s.ours.beats]
    return st_summary([t for t, _ in pairs], [e for _, e in pairs]) if pairs else None


GROUPS: dict[str, tuple[Sums, Sequence[str]]] = {
    "seven": (_sums, SEVEN),
    "seven_to_end": (_to_end, SEVEN),
    "v1_v6": (_sums, LEADS[6:]),
    "eleven": (_sums, ELEVEN),
}


def costs_of(models: Sequence[Model]) -> list[dict[str, Any]]:
    """Multiply-adds and CPU time of one window, and ours for as long a window and for one hop.

    A model without a stated receptive field has one window only; ours is run with one of the same
    duration.  At equal hop each of them is run once a hop.
    """
    ours = models[0]
    runs, windows = {}, {}
    for i, model in enumerate(models):
        spec = model.network.spec
        windows[i] = cost.equal_window(ours.network.spec, spec.window / spec.rate_hz)
        runs[f"{i}"] = cost.a_window(model.network, spec.window)
        runs[f"{i} ours"] = cost.a_window(ours.network, windows[i])
    hop = cost.a_hop(ours.network)
    if hop is not None:
        runs["hop"] = hop
    took = cost.milliseconds(runs)
    costs = []
    for i, model in enumerate(models):
        spec = model.network.spec
        row: dict[str, float | None] = {
            "window_ms": took[f"{i}"],
            "multiply_adds": cost.of_window(model.data, spec, spec.window),
            "ours_as_long_ms": took[f"{i} ours"],
            "ours_as_long_multiply_adds": cost.of_window(ours.data, ours.network.spec, windows[i]),
            "times_ours_windowed": took[f"{i}"] / took[f"{i} ours"],
        }
        if "hop" in took:
            row |= {
                "ours_hop_ms": took["hop"],
                "ours_hop_multiply_adds": cost.of_step(ours.data),
                "times_ours_incremental": took[f"{i}"] / took["hop"],
            }
        costs.append(row)
    return costs


def markdown(result: dict[str, Any]) -> str:
    """The table for the model card."""
    share = f", every {result['every']}th" if result["every"] > 1 else ""
    folds = ", ".join(map(str, result["folds"]))
    lines = [
        f"{result['records']} records of {result['patients']} patients, fold {folds}{share}; 95 % intervals "
        "by bootstrap over patients, those of the ratio paired.",
        "",
        "| | weights | file | latency | multiply-adds a window | window, CPU | times ours, as long a window "
        "| times ours, incremental |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["models"]:
        hop = row.get("times_ours_incremental")
        lines.append(
            f"| {_name(row)} | {_number(row['weights'])} | {_bytes(row['file_bytes'])} | "
            f"{row['latency_ms']:.0f} ms | {row['multiply_adds'] / 1e6:.3g} M ({row['window_s']:.2f} s) | "
            f"{row['window_ms']:.2f} ms | {row['times_ours_windowed']:.3g} | "
            f"{'-' if hop is None else format(hop, '.3g')} |"
        )
    lines += [
        "",
        "| the seven | RMSE, mV | 95 % | over ours, 95 % | mean Pearson | 95 % | ST off > 0.1 mV |",
        "|---|---:|---|---|---:|---|---:|",
    ]
    for row in result["models"]:
        lines.append(f"| {_name(row)} {_errors(row['seven'])} {row['st']['over_0_1_mv']:.1%} |")
    lines += [
        "",
        f"| with the last {END_S:g} s, as before | RMSE, mV | 95 % | over ours, 95 % | mean Pearson | 95 % |",
        "|---|---:|---|---|---:|---|",
    ]
    lines += [f"| {_name(row)} {_errors(row['seven_to_end'])}" for row in result["models"]]
    for title, key, digits in (("RMSE, mV", "rmse_mv", 3), ("mean Pearson", "pearson_mean", 2)):
        lines += ["", f"| {title} | {' | '.join(LEADS)} |", f"|---|{'---:|' * len(LEADS)}"]
        for row in result["models"]:
            values = [format(row["leads"][lead][key], f".{digits}f") for lead in LEADS]
            lines.append(f"| {_name(row)} | {' | '.join(values)} |")
    lines += ["", f"| ST off > 0.1 mV | {' | '.join(SEVEN)} |", f"|---|{'---:|' * len(SEVEN)}"]
    for row in result["models"]:
        values = [f"{row['st'][lead]['over_0_1_mv']:.1%}" for lead in SEVEN]
        lines.append(f"| {_name(row)} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def _errors(group: dict[str, Any]) -> str:
    over = group.get("rmse_over_ours_ci95")
    cells = (
        f"{group['rmse_mv']:.4f}",
        _span(group["rmse_mv_ci95"]),
        _span(over) if over else "-",
        f"{group['pearson_mean']:.3f}",
        _span(group["pearson_mean_ci95"]),
    )
    return f"| {' | '.join(cells)} |"


def _name(row: dict[str, Any]) -> str:
    name = str(row["model"].rsplit(" ", 1)[0])
    if row["converged"]:
        return name
    return f"{name} (not converged: {row['cpu_minutes']:g} CPU min, {row['passes']:g} passes)"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _span(values: Sequence[float]) -> str:
    return f"({values[0]:.3f} to {values[1]:.3f})"


def main() -> None:
    """Compare as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL.onnx", help="ours first")
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--folds", type=int, nargs="+", default=[9])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth record only")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.json", help="and FILE.md beside it")
    args = parser.parse_args()
    models = []
    for path in args.models:
        data = path.read_bytes()
        models.append(Model(path, data, Network(data)))
    result = compare(models, args.data, args.folds, args.every, args.jobs)
    table = markdown(result)
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    args.out.with_suffix(".md").write_text(table)
    print(table)


if __name__ == "__main__":
    ended_in_one_line(main)
