# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a gap is felt: ``python -m training.studies.after_gap PTB-XL``.

Records of fold 9 lose a stretch that begins at 4 s; the error of the seven leads after it is given as
a ratio to the error of the same samples without a gap.
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

GAP_AT_S = 4.0
GAPS_S = (0.1, 1.0, 3.0)
SINCE_S = ((0.0, 0.25), (0.25, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 2.8))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--every", type=int, default=4, help="take every so many records (4)")
    args = parser.parse_args()
    network = network_of(None)
    rate_hz = network.spec.rate_hz
    seven = [LEADS.index(lead) for lead in SEVEN]
    squared = np.zeros((len(GAPS_S), len(SINCE_S), 2))
    entries = read_table(args.dataset, (9,), 100)[:: args.every]
    for entry in entries:
        record = Record(entry.path)
        leads = record.twelve()
        truth = clinical_frame(leads, record.rate_hz, network.spec.filters, rate_hz)[seven]
        whole = stream(leads[0], record.rate_hz, network)[0][seven]
        for g, gap_s in enumerate(GAPS_S):
            holed = leads[0].copy()
            holed[round(GAP_AT_S * record.rate_hz) : round((GAP_AT_S + gap_s) * record.rate_hz)] = np.nan
            after = stream(holed, record.rate_hz, network)[0][seven]
            for i, since_s in enumerate(SINCE_S):
                a, b = (round((GAP_AT_S + gap_s + s) * rate_hz) for s in since_s)
                for j, estimate in enumerate((after, whole)):
                    squared[g, i, j] += ((estimate - truth)[:, a:b] ** 2).mean()
    ratio = np.sqrt(squared[..., 0] / squared[..., 1])
    print(f"{len(entries)} records; error of the seven after a gap, over that without one\n")
    print("| gap | " + " | ".join(f"{a:g} to {b:g} s after" for a, b in SINCE_S) + " |")
    print("|---|" + "---:|" * len(SINCE_S))
    for gap_s, row in zip(GAPS_S, ratio, strict=True):
        print(f"| {gap_s:g} s | " + " | ".join(f"{x:.3f}" for x in row) + " |")


if __name__ == "__main__":
    main()
