"""The recordings that travel with the program are whole, real, playable, small and attributed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from streamer.core.leads import LEADS
from streamer.core.stream import Chunk
from streamer.formats.wfdb_reader import Record

RECORDINGS = Path(__file__).parents[3] / "recordings"
HEADERS = sorted(RECORDINGS.glob("*/*.hea"))


def test_there_are_eleven_under_5_mb_each_named_in_the_readme() -> None:
    readme = (RECORDINGS / "README.md").read_text("utf-8")
    assert len(HEADERS) == 11
    assert all(f"`{path.parent.name}/{path.stem}`" in readme for path in HEADERS)
    assert all(
        word in readme for word in ("10.1038/s41597-020-0495-6", "CC BY 4.0", "ODC-By 1.0", "PhysioNet")
    )
    assert sum(path.stat().st_size for path in RECORDINGS.rglob("*") if path.is_file()) < 5e6


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.stem)
def test_its_samples_match_the_checksums_of_its_header(path: Path) -> None:
    record = Record(path)
    lines = [line.split() for line in path.read_text().splitlines() if ".dat" in line or ".xyz" in line]
    for row, signal, fields in zip(record.read(), record.signals, lines, strict=True):
        steps_per_mv = signal.steps_per_mv
        assert steps_per_mv is not None
        digital = np.rint(row.astype(float) * steps_per_mv + signal.baseline).astype(int)
        assert digital[0] == int(fields[5])
        assert (digital.sum() - int(fields[6])) % 65536 == 0


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.stem)
def test_no_lead_is_flat_or_out_of_any_range(path: Path) -> None:
    leads = Record(path).read()
    assert np.isfinite(leads).all()
    assert np.abs(leads).max() < 6
    assert leads.std(axis=1).min() > 0.04
    rate = round(Record(path).rate_hz)
    seconds = leads[:, : leads.shape[1] // rate * rate].reshape(len(leads), -1, rate)
    assert np.ptp(seconds, axis=2).min() > 0.02


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.stem)
def test_it_plays_to_its_end(path: Path) -> None:
    source = FileReplay(
        path, lead=None if path.parent.name != "mitdb" else "MLII", replay=Replay(speed=math.inf)
    )
    info = source.open()
    assert info.is_lead_i == (path.parent.name != "mitdb")
    assert sum(len(item.lead_mv) for item in source.items() if isinstance(item, Chunk)) == info.samples


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.stem)
def test_its_twelve_leads_obey_the_limb_lead_laws(path: Path) -> None:
    record = Record(path)
    rows = [record.row(lead) for lead in LEADS]
    if None in rows:
        pytest.skip("not a 12-lead record")
    one, two, three, avr, avl, avf = record.read()[rows[:6]]
    assert np.abs(one + three - two).max() < 0.003
    assert max(np.abs(avr + (one + two) / 2).max(), np.abs(avl - one + two / 2).max()) < 0.003
    assert np.abs(avf - two + one / 2).max() < 0.003
