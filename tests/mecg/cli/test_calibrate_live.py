# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg calibrate lsl:NAME`: twelve leads that another process sends."""

from pathlib import Path

import numpy as np
import pytest

from mecg.__main__ import main
from streamer.core.leads import LEADS
from streamer.formats.calibration_file import read_calibration
from streamer.formats.wfdb_reader import Record
from tests.devices.lsl.lsl_rig import Sender

RECORDING = Path(__file__).parents[3] / "recordings" / "ptb" / "s0010_re"
RATE_HZ = 250


@pytest.fixture
def twelve_leads(tmp_path: Path) -> str:
    """What a 12-lead machine sends, uV: the channels in an order and a unit of its own, chest leads first."""
    record = Record(RECORDING)
    rows = [record.row(lead) for lead in LEADS]
    assert None not in rows
    leads_uv = 1e3 * record.read()[rows][:, :: round(record.rate_hz / RATE_HZ)]
    assert np.isfinite(leads_uv).all()
    np.save(tmp_path / "sent.npy", np.roll(leads_uv.T, 6, axis=1))
    return str(tmp_path / "sent.npy")


def test_a_person_is_learned_from_a_live_stream_of_twelve_leads(
    twelve_leads: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is learned serves a file of the same person."""
    out, sender = tmp_path / "person.npz", Sender()
    try:
        channels = [{"label": lead, "unit": "microvolts"} for lead in np.roll(LEADS, 6)]
        sender.begin(
            name="twelve", channels=channels, rate=RATE_HZ, table=twelve_leads, packet=10, source_id="twelve"
        )
        sender.ready()
        assert main(["calibrate", "lsl:twelve", "--out", str(out), "--check", str(RECORDING)]) == 0
    finally:
        sender.kill()
    kept, said = read_calibration(out), capsys.readouterr().out
    assert kept.origin.words().startswith("lsl:twelve, calibrated 20")
    assert np.isfinite(kept.rmse_mv).all()
    assert (kept.rmse_mv[1] < 0.7 * kept.rmse_mv[0]).all()
    checked = [line.split() for line in said.split("on s0010_re:")[1].splitlines()[2:]]
    generic, personal = np.array([[float(x) for x in line[1:]] for line in checked]).T
    assert np.sqrt((personal**2).mean()) < 0.7 * np.sqrt((generic**2).mean())
