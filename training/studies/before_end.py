# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the end of a record bends its truth: ``python -m training.studies.before_end PTB-XL``.

Root mean square of the truth's seven leads, of their error and of that of I', pooled over the records
of fold 8, by time before the end; and what the last 0.3 s weigh in all squared error from 3 s on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from mecg.app.models import network_of
from mecg.evaluation.dataset import read_table
from mecg.evaluation.evaluate import stream
from streamer.core.leads import LEADS, SEVEN
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.formats.wfdb_reader import Record

BEFORE_END_S = ((7.0, 2.0), (0.5, 0.3), (0.3, 0.0), (0.2, 0.1), (0.056, 0.024), (0.012, 0.0))
FROM_S, LEFT_OUT_S = 3.0, 0.3
"""Where the scores of ``mecg evaluate`` begin, and what they leave out."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every so many records (1)")
    args = parser.parse_args()
    network = network_of(None)
    rate_hz = network.spec.rate_hz
    seven = [LEADS.index(lead) for lead in SEVEN]
    squared: list[list[list[float]]] = []
    whole, end, share_of_time = 0.0, 0.0, 0.0
    entries = read_table(args.dataset, (8,), 100)[:: args.every]
    for entry in entries:
        record = Record(entry.path)
        leads = record.twelve()
        truth = clinical_frame(leads, record.rate_hz, network.spec.filters, rate_hz)
        error = stream(leads[0], record.rate_hz, network)[0] - truth
        n = truth.shape[1]
        spans = [slice(n - round(a * rate_hz), n - round(b * rate_hz)) for a, b in BEFORE_END_S]
        rows = (truth[seven], error[seven], error[:1])
        squared.append([[float(np.square(row[:, span]).mean()) for span in spans] for row in rows])
        first, last = round(FROM_S * rate_hz), n - round(LEFT_OUT_S * rate_hz)
        whole += float(np.square(error[seven, first:]).sum())
        end += float(np.square(error[seven, last:]).sum())
        share_of_time = (n - last) / (n - first)
    rms_mv = np.sqrt(np.mean(squared, axis=0))
    print(f"{len(entries)} records of fold 8; root mean square, mV, by seconds before the end\n")
    print("| before the end | " + " | ".join(f"{a:g} to {b:g} s" for a, b in BEFORE_END_S) + " |")
    print("|---|" + "---:|" * len(BEFORE_END_S))
    names = ("the truth's seven leads", "error of the seven", "error of I'")
    for name, row in zip(names, rms_mv, strict=True):
        print(f"| {name} | " + " | ".join(f"{x:.3f}" for x in row) + " |")
    print(
        f"\nThe last {LEFT_OUT_S:g} s: {end / whole:.1%} of the squared error of the seven from "
        f"{FROM_S:g} s on, {share_of_time:.1%} of the time"
    )


if __name__ == "__main__":
    main()
