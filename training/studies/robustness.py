# SPDX-License-Identifier: GPL-3.0-or-later
"""How a model takes what goes wrong.

``python -m training.studies.robustness MODEL.onnx --data PTB-XL --out FILE``

The records are brought to 500 Hz first, so that mains hum has its own frequency (or to the rate that is
tried), then disturbed, then run through the live path (in hops of a second, where the model's output depends
on no window).
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mecg.evaluation.band_scores import band_summary
from mecg.evaluation.beat_scores import BeatValues, find_beats, st_summary
from mecg.evaluation.dataset import Entry, read_table
from mecg.evaluation.evaluate import Change, Scored, score_all
from mecg.evaluation.lead_scores import paired, summary
from streamer.core.events import Quality, QualityChanged
from streamer.core.leads import LEADS, SEVEN
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.clinical_frame import clinical_frame, to_rate
from streamer.core.stream import Chunk, StreamInfo
from streamer.core.vitals.vitals import Vitals
from streamer.formats.wfdb_reader import Record
from training.command import ended_in_one_line
from training.data import noises
from training.filter_design import design
from training.recorders import Recorder

RATE_HZ = 500.0
LEVELS_DB = (18, 12, 6, 0)
WIDE_QRS_S = 0.12
FEWEST = 10
"""A subset of fewer records gets no row."""


@dataclass(frozen=True, slots=True)
class Disturbed:
    """Twelve leads, and what became of Lead I on its way."""

    kind: str = "none"
    level_db: float = np.inf
    """The lead's standard deviation over that of the noise."""
    gain: float = 1.0
    """Of the whole person."""
    sign: int = 1
    """Of the measured lead alone."""
    gaps_s: tuple[float, ...] = ()
    sampled_hz: float = RATE_HZ
    clock: float = 1.0
    """What the source takes its rate for, over what it is."""
    recorder: Recorder | None = None

    def __call__(
        self, leads_mv: NDArray[np.float32], rate_hz: float, chances: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
        """As `mecg.evaluation.evaluate.Change`."""
        at_rate = [
            to_rate(row.astype(np.float64), rate_hz, self.sampled_hz) for row in np.nan_to_num(leads_mv)
        ]
        truth = (self.gain * np.stack(at_rate)).astype(np.float32)
        recorded = truth if self.recorder is None else self.recorder(truth)
        if self.recorder is not None and self.recorder.of_all:
            truth = recorded
        lead = self.sign * recorded[0]
        if np.isfinite(self.level_db):
            level_mv = lead.std() * 10 ** (-self.level_db / 20)
            lead = lead + (level_mv * self._noise(len(lead), chances)).astype(np.float32)
        for seconds in self.gaps_s:
            at = int(chances.uniform(3.5, len(lead) / self.sampled_hz - seconds - 2) * self.sampled_hz)
            lead[at : at + round(seconds * self.sampled_hz)] = np.nan
        return lead, truth, self.clock * self.sampled_hz

    def _noise(self, n: int, chances: np.random.Generator) -> NDArray[np.float64]:
        if self.kind.endswith("Hz"):
            turns = float(self.kind.split()[0]) * np.arange(n) / self.sampled_hz
            return np.asarray(np.sqrt(2) * np.sin(2 * np.pi * (turns + chances.random())))
        return np.asarray(noises(n, self.sampled_hz, chances)[("wander", "muscle").index(self.kind)])


PLAIN = Disturbed()


def conditions() -> dict[str, Disturbed]:
    """Everything that is tried on every record, by its name in the table."""
    said = {
        "wander": "baseline wander",
        "muscle": "muscle noise",
        "50 Hz": "hum of 50 Hz",
        "60 Hz": "hum of 60 Hz",
    }
    tried = {
        f"{words}, {db} dB": Disturbed(kind=kind, level_db=db)
        for kind, words in said.items()
        for db in LEVELS_DB
    }
    return tried | {
        "amplitude +20 % (relative)": Disturbed(gain=1.2),
        "amplitude -20 % (relative)": Disturbed(gain=0.8),
        "rate 1 % too high": Disturbed(clock=1.01),
        "rate 1 % too low": Disturbed(clock=0.99),
        "a recorder from 0.5 Hz, order 2": Disturbed(recorder=Recorder(RATE_HZ, (2, 0.5))),
        "a recorder from 0.67 Hz, order 2": Disturbed(recorder=Recorder(RATE_HZ, (2, 0.67))),
        "a recorder from 0.05 to 25 Hz": Disturbed(recorder=Recorder(RATE_HZ, (1, 0.05), (2, 25.0))),
        "a sensor from 0.5 Hz": Disturbed(recorder=Recorder(RATE_HZ, (1, 0.5), of_all=False)),
        "a sensor from 0.67 Hz, order 2": Disturbed(recorder=Recorder(RATE_HZ, (2, 0.67), of_all=False)),
        "sampled at 128 Hz": Disturbed(sampled_hz=128.0),
        "sampled at 257 Hz": Disturbed(sampled_hz=257.0),
        "sampled at 1000 Hz": Disturbed(sampled_hz=1000.0),
        "three gaps of 0.1 s": Disturbed(gaps_s=(0.1,) * 3),
        "a gap of 1 s": Disturbed(gaps_s=(1.0,)),
        "reversed polarity, not corrected": Disturbed(sign=-1),
    }


def subsets(data: Path, folds: Sequence[int]) -> dict[str, list[Entry]]:
    """Records with what is rare: by the table's own codes, columns ``scp_codes``, ``rhythm``, ``form``.

    Where the table holds no codes of bundle branch blocks, conduction disturbances with a QRS of
    120 ms or more stand for them.
    """
    entries = read_table(data, folds, 100)
    with (data / "ptbxl_database.csv").open(newline="", encoding="utf-8") as handle:
        rows = {data / row["filename_lr"]: row for row in csv.DictReader(handle)}

    def codes(entry: Entry) -> set[str]:
        row = rows[entry.path]
        return set(re.findall(r"\w+", " ".join(row.get(c) or "" for c in ("scp_codes", "rhythm", "form"))))

    def having(*wanted: str) -> list[Entry]:
        return [entry for entry in entries if codes(entry) & set(wanted)]

    found = {"atrial fibrillation": having("AFIB"), "paced": having("PACE")}
    blocks = having("CLBBB", "CRBBB")
    if blocks:
        return found | {"bundle branch block": blocks}
    wide = [e for e in entries if "CD" in e.superclasses and _qrs_s(e) >= WIDE_QRS_S]
    return found | {"conduction disturbance, QRS of 120 ms or more": wide}


def _qrs_s(entry: Entry) -> float:
    record = Record(entry.path)
    rows = [row for lead in LEADS if (row := record.row(lead)) is not None]
    truth = clinical_frame(record.read()[rows], record.rate_hz, design(RATE_HZ), RATE_HZ)
    beats = find_beats(truth, RATE_HZ, 0)
    return (beats.offset - beats.onset) / RATE_HZ if beats else 0.0


def reversal(entries: Sequence[Entry], network: Network) -> dict[str, float]:
    """Share of records that are flagged as reversed, when they are (``found``) and when not (``false``)."""
    found = {1: 0, -1: 0}
    told = False
    for entry in tqdm(entries, desc="polarity", mininterval=5):
        record = Record(entry.path)
        row = record.row("I")
        assert row is not None
        lead = record.read()[row]
        for sign in found:
            info = StreamInfo("robustness", record.rate_hz, samples=len(lead))
            chunk = Chunk(0, (sign * lead).astype(np.float32))
            pipeline, vitals = Pipeline(info, network), Vitals(network.spec.rate_hz, info)
            frames = pipeline.push(chunk) + pipeline.finish()
            told_here = [event for frame in frames for event in vitals.push(frame)]
            qualities = [event.wrong for event in told_here if isinstance(event, QualityChanged)]
            told |= bool(qualities)
            found[sign] += any(Quality.REVERSED in quality for quality in qualities)
    if not told:
        return {}
    return {"found": found[-1] / len(entries), "false": found[1] / len(entries), "records": len(entries)}


def rows_of(
    model: bytes, entries: Sequence[Entry], changes: dict[str, Disturbed], jobs: int
) -> list[dict[str, Any]]:
    """Scores of every condition, each beside the same records as they are."""
    plain = _results(model, entries, PLAIN, jobs, "as they are")
    rows = [_row("as they are", entries, plain, plain, 1.0)]
    for name, change in changes.items():
        results = _results(model, entries, change, jobs, name)
        rows.append(_row(name, entries, results, plain, change.gain))
    return rows


def _results(model: bytes, entries: Sequence[Entry], change: Change, jobs: int, name: str) -> list[Any]:
    found = score_all(entries, model, jobs, change, dense=True)
    return list(tqdm(found, desc=name, total=len(entries), mininterval=5))


def _row(
    name: str, entries: Sequence[Entry], results: Sequence[Any], plain: Sequence[Any], gain: float
) -> dict[str, Any]:
    both = [
        (entry.patient, scored, before)
        for entry, scored, before in zip(entries, results, plain, strict=True)
        if isinstance(scored, Scored) and isinstance(before, Scored)
    ]
    patients = [patient for patient, _, _ in both]
    sums, before = [s.ours.sums for _, s, _ in both], [b.ours.sums for _, _, b in both]
    seven = summary(sums, patients, SEVEN)
    pairs = [_known(s.truth, s.ours.beats) for _, s, _ in both if s.truth and s.ours.beats]
    bands = [s.ours.bands for _, s, _ in both if s.ours.bands]
    ratio = paired(before, sums, patients, SEVEN)["rmse_over_ours_ci95"]
    return {
        "condition": name,
        "records": len(both),
        "seven": seven | {"rmse_mv": seven["rmse_mv"] / gain},
        "over_plain_ci95": [value / gain for value in ratio],
        "one_rmse_mv": summary(sums, patients, ("I",), intervals=False)["rmse_mv"] / gain,
        "st": st_summary([t for t, _ in pairs], [e for _, e in pairs]) if pairs else None,
        "coverage": band_summary(bands, [()] * len(bands))["coverage"]["0.9"]["all"] if bands else None,
    }


def _known(truth: BeatValues, estimate: BeatValues) -> tuple[BeatValues, BeatValues]:
    """The beats whose ST does not lie in a gap."""
    there = np.isfinite(estimate.st_mv).all(axis=1)
    return replace(truth, st_mv=truth.st_mv[there]), replace(estimate, st_mv=estimate.st_mv[there])


def markdown(result: dict[str, Any]) -> str:
    """The table for the model card."""
    lines = [
        f"{result['model']}; {result['records']} records of fold {', '.join(map(str, result['folds']))} "
        f"(every {result['every']}th), subsets whole.",
        "",
        "| | records | RMSE of the seven, mV | over the same as they are, 95 % | mean Pearson | I', mV "
        "| ST off > 0.1 mV | 90 % band holds |",
        "|---|---:|---:|---|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        low, high = row["over_plain_ci95"]
        held, st = row["coverage"], row["st"]
        lines.append(
            f"| {row['condition']} | {row['records']} | {row['seven']['rmse_mv']:.3f} | "
            f"{_span(low, high)} | "
            f"{row['seven']['pearson_mean']:.3f} | {row['one_rmse_mv']:.3f} | "
            f"{'-' if st is None else format(st['over_0_1_mv'], '.1%')} | "
            f"{'-' if held is None else format(held, '.1%')} |"
        )
    if polarity := result["polarity"]:
        lines += [
            "",
            f"Reversed polarity is flagged within 10 s in {polarity['found']:.1%} of {polarity['records']} "
            f"reversed records, and in {polarity['false']:.1%} of the same as they are.",
        ]
    return "\n".join(lines) + "\n"


def _span(low: float, high: float) -> str:
    return "-" if low == high == 1 else f"{low:.2f} to {high:.2f}"


def main() -> None:
    """Try everything, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--folds", type=int, nargs="+", default=[9])
    parser.add_argument("--every", type=int, default=8, metavar="N", help="every Nth record (8)")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.json", help="and FILE.md beside it")
    args = parser.parse_args()
    model = args.model.read_bytes()
    network = Network(model)
    entries = read_table(args.data, args.folds, 100)[:: args.every]
    rows = rows_of(model, entries, conditions(), args.jobs)
    for name, of in subsets(args.data, args.folds).items():
        if len(of) >= FEWEST:
            rows += [row | {"condition": name} for row in rows_of(model, of, {}, args.jobs)]
    result = {
        "model": f"{network.spec.name} {network.spec.version}",
        "folds": args.folds,
        "every": args.every,
        "records": len(entries),
        "rows": rows,
        "polarity": reversal(entries, network),
    }
    table = markdown(result)
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    args.out.with_suffix(".md").write_text(table)
    print(table)


if __name__ == "__main__":
    ended_in_one_line(main)
